package expr

import "strings"

// longText is from how many bytes on a text is looked at for the query's budget.
const longText = 64 << 10

// room fails with SQLSTATE 53200 if the query's budget has no room for values of
// so many bytes. It does not take them: the values live for one batch.
func (e *Env) room(bytes int64) error {
	if bytes < longText || e.Account == nil {
		return nil
	}
	if err := e.Account.Grow(bytes); err != nil {
		return err
	}
	e.Account.Shrink(bytes)
	return nil
}

// within has a function that can make much of little look for room before it
// makes anything. Bytes tells how much that is.
func within(bytes func(args []any) int64, f impl) impl {
	row := f.row
	f.row = func(env *Env, call *Call, args []any) (any, error) {
		if err := env.room(bytes(args)); err != nil {
			return nil, err
		}
		return row(env, call, args)
	}
	return f
}

func repeated(args []any) int64 {
	length, times := int64(len(args[0].(string))), args[1].(int64)
	if length == 0 || times <= 0 || times > maxText/length {
		return 0 // nothing, or refused for its length
	}
	return length * times
}

func padded(args []any) int64 {
	if n := args[1].(int64); n <= maxText/4 {
		return n
	}
	return 0
}

func replaced(args []any) int64 {
	s, from, to := args[0].(string), args[1].(string), args[2].(string)
	if len(to) <= len(from) || from == "" {
		return int64(len(s))
	}
	return int64(len(s)) + int64(strings.Count(s, from))*int64(len(to)-len(from))
}

// A longTexts sums up what a call makes in one batch.
type longTexts struct{ bytes int64 }

// add fails if the texts no longer fit into the query's budget.
func (l *longTexts) add(env *Env, v any) error {
	var n int
	switch v := v.(type) {
	case string:
		n = len(v)
	case []byte:
		n = len(v)
	}
	if n < longText {
		return nil
	}
	l.bytes += int64(n)
	return env.room(l.bytes)
}
