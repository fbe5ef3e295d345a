package session

import (
	"slices"
	"sync"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/pgwire"
)

const (
	// maxQueuedBytes bounds the notifications of open transactions and those that
	// listeners have not taken yet, all together.
	maxQueuedBytes = 64 << 20
	// noticeBytes is what a notification takes beside its texts.
	noticeBytes = 96
	// PostgreSQL's limits: a channel's name has fewer bytes, and so has a payload.
	maxChannelBytes = 64
	maxPayloadBytes = 8000
)

// A notice is a LISTEN, an UNLISTEN or a NOTIFY, which COMMIT carries out.
type notice struct {
	kind             noticeKind
	channel, payload string
}

type noticeKind byte

const (
	listen noticeKind = iota
	unlisten
	unlistenAll
	notify
)

func (n notice) bytes() int64 { return int64(noticeBytes + len(n.channel) + len(n.payload)) }

// notices are those of a transaction, each NOTIFY once. A query may call
// pg_notify from several goroutines.
type notices struct {
	exchange *exchange

	mu   sync.Mutex
	list []notice
	seen map[notice]struct{} // of list, if it is a NOTIFY
}

func (ns *notices) add(n notice) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if _, again := ns.seen[n]; again {
		return nil
	}
	if !ns.exchange.reserve(n.bytes()) {
		return errQueueFull()
	}
	if n.kind == notify {
		if ns.seen == nil {
			ns.seen = make(map[notice]struct{})
		}
		ns.seen[n] = struct{}{}
	}
	ns.list = append(ns.list, n)
	return nil
}

func errQueueFull() error {
	return pgerr.New(pgerr.ProgramLimitExceeded, "too many notifications in the NOTIFY queue")
}

// mark is a position to go back to.
func (ns *notices) mark() int { return len(ns.list) }

func (ns *notices) rollbackTo(mark int) {
	var freed int64
	for _, n := range ns.list[mark:] {
		freed += n.bytes()
		delete(ns.seen, n)
	}
	ns.exchange.free(freed)
	ns.list = slices.Clip(ns.list[:mark])
}

// take gives all, to be carried out.
func (ns *notices) take() []notice {
	list := ns.list
	ns.list, ns.seen = nil, nil
	return list
}

// Notify is NOTIFY and pg_notify.
func (s *Session) Notify(channel, payload string) error {
	switch {
	case channel == "":
		return pgerr.New(pgerr.InvalidParameterValue, "channel name cannot be empty")
	case len(channel) >= maxChannelBytes:
		return pgerr.New(pgerr.InvalidParameterValue, "channel name too long")
	case len(payload) >= maxPayloadBytes:
		return pgerr.New(pgerr.InvalidParameterValue, "payload string too long")
	}
	return s.notices.add(notice{notify, channel, payload})
}

// Channels is pg_listening_channels: what earlier transactions listen to.
func (s *Session) Channels() []string {
	e := s.handler.exchange
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(s.inbox.channels)
}

// QueueUsage is pg_notification_queue_usage, a fraction.
func (s *Session) QueueUsage() float64 {
	e := s.handler.exchange
	e.mu.Lock()
	defer e.mu.Unlock()
	return float64(e.queued) / maxQueuedBytes
}

// Notifications gives pgwire what has come for the client.
func (s *Session) Notifications() []pgwire.Notification { return s.handler.exchange.take(s.inbox) }

// An exchange passes notifications from sessions to those that listen.
type exchange struct {
	mu        sync.Mutex // guards what follows, and the inboxes
	listeners map[string][]*inbox
	queued    int64 // bytes reserved by transactions and held in inboxes
}

// An inbox holds what has come for one session.
type inbox struct {
	wake     func()
	channels []string // in the order of their LISTEN
	list     []pgwire.Notification
}

func newExchange() *exchange { return &exchange{listeners: make(map[string][]*inbox)} }

func (e *exchange) reserve(bytes int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queued+bytes > maxQueuedBytes {
		return false
	}
	e.queued += bytes
	return true
}

func (e *exchange) free(bytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queued -= bytes
}

// admit makes room for a copy in each inbox, before the transaction commits.
// What it gives is freed once they are there.
func (e *exchange) admit(list []notice) (room int64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range list {
		if n.kind == notify {
			room += n.bytes() * int64(len(e.listeners[n.channel]))
		}
	}
	if room > 0 && e.queued+room > maxQueuedBytes {
		return 0, errQueueFull()
	}
	e.queued += room
	return room, nil
}

// publish carries out the notices of a transaction that has committed: what it
// listens to first, so that it hears itself.
func (e *exchange) publish(in *inbox, pid uint32, list []notice, room int64) {
	e.mu.Lock()
	for _, n := range list {
		switch n.kind {
		case listen:
			e.listenLocked(in, n.channel)
		case unlisten:
			e.unlistenLocked(in, n.channel)
		case unlistenAll:
			e.unlistenAllLocked(in)
		}
	}
	e.queued -= room
	var woken []*inbox
	for _, n := range list {
		e.queued -= n.bytes()
		if n.kind != notify {
			continue
		}
		for _, to := range e.listeners[n.channel] {
			e.queued += n.bytes()
			if len(to.list) == 0 {
				woken = append(woken, to)
			}
			to.list = append(to.list, pgwire.Notification{PID: pid, Channel: n.channel, Payload: n.payload})
		}
	}
	e.mu.Unlock()
	for _, to := range woken {
		to.wake()
	}
}

func (e *exchange) listenLocked(in *inbox, channel string) {
	if slices.Contains(in.channels, channel) {
		return
	}
	in.channels = append(in.channels, channel)
	e.listeners[channel] = append(e.listeners[channel], in)
}

func (e *exchange) unlistenLocked(in *inbox, channel string) {
	in.channels = slices.DeleteFunc(in.channels, func(c string) bool { return c == channel })
	rest := slices.DeleteFunc(e.listeners[channel], func(other *inbox) bool { return other == in })
	if e.listeners[channel] = rest; len(rest) == 0 {
		delete(e.listeners, channel)
	}
	in.list = slices.DeleteFunc(in.list, func(n pgwire.Notification) bool {
		if n.Channel == channel {
			e.queued -= notice{notify, n.Channel, n.Payload}.bytes()
		}
		return n.Channel == channel
	})
}

func (e *exchange) unlistenAllLocked(in *inbox) {
	for _, channel := range slices.Clone(in.channels) {
		e.unlistenLocked(in, channel)
	}
}

// leave ends an inbox.
func (e *exchange) leave(in *inbox) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unlistenAllLocked(in)
}

func (e *exchange) take(in *inbox) []pgwire.Notification {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := in.list
	in.list = nil
	for _, n := range list {
		e.queued -= notice{notify, n.Channel, n.Payload}.bytes()
	}
	return list
}
