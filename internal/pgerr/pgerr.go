// Package pgerr holds the one error that reaches a client.
//
// Every error that leaves the gateway over the PostgreSQL wire is an Error with
// a SQLSTATE. Anything else is turned into Internal with a fixed message, so
// that paths, addresses and stack traces stay in the server's log.
package pgerr

import (
	"errors"
	"fmt"
)

// Error carries the fields of a PostgreSQL ErrorResponse.
type Error struct {
	Code     Code // SQLSTATE
	Message  string
	Detail   string
	Hint     string
	Context  string // where it happened, beside the statement
	Position int    // 1-based character in the statement; 0 if unknown
	Err      error  // cause: logged, never sent
}

// New makes an Error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error gives the message with its SQLSTATE and, for the log, its cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// At gives a copy of e at a 1-based character of the statement. An Error that
// has a position keeps it: the innermost place is the most exact.
func (e *Error) At(position int) *Error {
	c := *e
	if c.Position == 0 {
		c.Position = position
	}
	return &c
}

// WithDetail gives a copy of e with a formatted DETAIL line.
func (e *Error) WithDetail(format string, args ...any) *Error {
	c := *e
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// WithHint gives a copy of e with a formatted HINT line.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// In gives a copy of e with a formatted CONTEXT line, unless it has one.
func (e *Error) In(format string, args ...any) *Error {
	if e.Context != "" {
		return e
	}
	c := *e
	c.Context = fmt.Sprintf(format, args...)
	return &c
}

// Wrap gives a copy of e with a cause for the log.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.Err = cause
	return &c
}

// From finds the Error in err's chain. Anything else becomes Internal with
// a fixed message, so paths and addresses stay in the server's log.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: Internal, Message: "internal error", Err: err}
}

// HasCode reports whether err's chain holds an Error with that SQLSTATE.
func HasCode(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}
