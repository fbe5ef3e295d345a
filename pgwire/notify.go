package pgwire

import (
	"errors"
	"os"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A Notification is what a session tells those that listen to a channel.
type Notification struct {
	PID              uint32 // of the session that tells it
	Channel, Payload string
}

// A Listener is a Session that others notify.
type Listener interface {
	Session
	// Notifications takes those that have come. It is called before a
	// ReadyForQuery outside of a transaction, and after Notifier.Wake as soon as
	// the connection is idle outside of one.
	Notifications() []Notification
}

// Wake has the connection ask for notifications if it is idle; if it is not, it
// will ask by itself.
func (c *conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = true
	if c.waiting {
		c.interruptRead()
	}
}

// notifications sends those that have come.
func (c *conn) notifications() error {
	l, ok := c.session.(Listener)
	if !ok {
		return nil
	}
	for _, n := range l.Notifications() {
		c.send(&pgproto3.NotificationResponse{PID: n.PID, Channel: clean(n.Channel), Payload: clean(n.Payload)})
		if len(c.buf) >= flushBytes {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait waits for the first byte of a message while the connection is idle
// outside of a transaction, and sends the notifications that come meanwhile.
func (c *conn) wait() error {
	for {
		c.setWaiting(true)
		_, err := c.in.Peek(1)
		woken := c.setWaiting(false)
		if woken {
			if err := c.allowRead(); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
			return nil
		case !woken || !errors.Is(err, os.ErrDeadlineExceeded) || c.ending():
			return err
		}
		err = c.notifications()
		if err == nil {
			err = c.flush()
		}
		if err != nil {
			return err
		}
		c.release()
	}
}

// setWaiting says whether Wake is to interrupt the read, and reports whether it
// has been called since the last time.
func (c *conn) setWaiting(on bool) (woken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	woken = c.woken
	c.waiting = on
	if !on {
		c.woken = false
	} else if woken {
		c.interruptRead() // it was called before the read began
	}
	return woken
}
