package expr

import "github.com/tael-sql/tael-sql/internal/vector"

type (
	rowFunc  = func(env *Env, call *Call, args []any) (any, error)
	vecFunc  = func(env *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error)
	rowsFunc = func(env *Env, call *Call, args []any, emit func(row []any) error) error
)

// The functions below make an impl of a plain Go function over the forms of
// package pgtypes. They are for strict functions only.

func fn1[A any](f func(A) (any, error)) impl {
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) { return f(args[0].(A)) }}
}

func fn2[A, B any](f func(A, B) (any, error)) impl {
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) { return f(args[0].(A), args[1].(B)) }}
}

func fn3[A, B, C any](f func(A, B, C) (any, error)) impl {
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) {
		return f(args[0].(A), args[1].(B), args[2].(C))
	}}
}

// The pure ones cannot fail.

func pure1[A, R any](f func(A) R) impl {
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) { return f(args[0].(A)), nil }}
}

func pure2[A, B, R any](f func(A, B) R) impl {
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) { return f(args[0].(A), args[1].(B)), nil }}
}

func pure3[A, B, C, R any](f func(A, B, C) R) impl {
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) {
		return f(args[0].(A), args[1].(B), args[2].(C)), nil
	}}
}

// raw takes the arguments as they are.
func raw(f rowFunc) impl { return impl{row: f} }

// withEnv is a strict function of its environment alone.
func withEnv(f func(env *Env) (any, error)) impl {
	return impl{row: func(env *Env, _ *Call, _ []any) (any, error) { return f(env) }}
}

// set is a set-returning function.
func set(f rowsFunc) impl { return impl{rows: f} }

// adapt puts two functions one after the other: a conversion before f.
func vecOf(i impl, v vecFunc) impl {
	i.vec = v
	return i
}
