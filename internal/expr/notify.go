package expr

import "github.com/tael-sql/tael-sql/internal/pgerr"

// A notifier is a session that can tell others something.
type notifier interface {
	// Notify is NOTIFY: the transaction's COMMIT delivers it.
	Notify(channel, payload string) error
	// Channels are those that the session listens to.
	Channels() []string
	// QueueUsage is how much of the room for what waits to be delivered is taken.
	QueueUsage() float64
}

func notifyFunctions() map[string]impl {
	session := func(env *Env, call *Call) (notifier, error) {
		s, ok := env.Session.(notifier)
		if !ok {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "%s is not supported here", call.Fn.Name)
		}
		return s, nil
	}
	return map[string]impl{
		"pg_notify(text,text)": raw(func(env *Env, call *Call, args []any) (any, error) {
			s, err := session(env, call)
			if err != nil {
				return nil, err
			}
			channel, _ := args[0].(string) // NULL is the empty one
			payload, _ := args[1].(string)
			return "", s.Notify(channel, payload)
		}),
		"pg_notification_queue_usage()": raw(func(env *Env, call *Call, _ []any) (any, error) {
			s, err := session(env, call)
			if err != nil {
				return nil, err
			}
			return s.QueueUsage(), nil
		}),
		"pg_listening_channels()": set(func(env *Env, call *Call, _ []any, emit func([]any) error) error {
			s, err := session(env, call)
			if err != nil {
				return err
			}
			for _, channel := range s.Channels() {
				if err := emit([]any{channel}); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}
