// Package pgtypes knows PostgreSQL's types: OIDs, values, text and binary
// codecs, and the conversions that need no expression.
//
// A value is held as `any` in the form that its type fixes; nil is NULL:
//
//	bool                                        bool
//	int2 int4 int8 oid and the reg* types       int64
//	float4 float8                               float64 (float4: already rounded to 24 bits)
//	numeric                                     *apd.Decimal (its exponent is the display scale)
//	text varchar bpchar name "char" json xml unknown  string
//	jsonb                                       string, in PostgreSQL's canonical text form
//	bytea                                       []byte
//	timestamptz timestamp                       int64, microseconds since 2000-01-01 (UTC); NoBegin and NoEnd are the infinities
//	date                                        int64, days since 2000-01-01
//	time                                        int64, microseconds since midnight
//	timetz                                      TimeTZ
//	interval                                    Interval
//	uuid                                        UUID
//	arrays, int2vector, oidvector               *Array
//	record and row types                        *Record
//	void                                        "" (the empty string)
//
// Values never change once made, so they may be shared.
package pgtypes

// A Type is a PostgreSQL type with its modifier.
type Type struct {
	OID OID
	Mod int32 // atttypmod; -1 when there is none
}

// Of gives the type without a modifier.
func Of(oid OID) Type { return Type{OID: oid, Mod: -1} }

// Int64 limits stand for the infinite timestamps, as in PostgreSQL.
const (
	NoBegin int64 = -1 << 63
	NoEnd   int64 = 1<<63 - 1
)

// EpochUnixMicros is 2000-01-01 00:00:00 UTC in microseconds since 1970.
const EpochUnixMicros int64 = 946_684_800_000_000

// MicrosFromUnixNanos converts nanoseconds since 1970 to a timestamptz,
// rounding towards the past.
func MicrosFromUnixNanos(nanos int64) int64 {
	micros := nanos / 1000
	if nanos%1000 < 0 {
		micros--
	}
	return micros - EpochUnixMicros
}

// UnixNanosFromMicros is the inverse of MicrosFromUnixNanos. A time outside
// the range of int64 nanoseconds is clamped to its end.
func UnixNanosFromMicros(micros int64) int64 {
	const limit = (1<<63 - 1) / 1000
	switch {
	case micros > limit-EpochUnixMicros:
		return 1<<63 - 1
	case micros < -limit-EpochUnixMicros:
		return -1 << 63
	}
	return (micros + EpochUnixMicros) * 1000
}

// An Interval is PostgreSQL's interval: three fields that do not mix.
type Interval struct {
	Months int32
	Days   int32
	Micros int64
}

// TimeTZ is a time of day with its zone.
type TimeTZ struct {
	Micros      int64
	WestSeconds int32 // seconds west of UTC, as on the wire
}

// A UUID holds 16 bytes in the order in which they are printed.
type UUID [16]byte

// An Array holds its elements in row-major order. An empty array has no Dims.
type Array struct {
	Elem  OID
	Dims  []Dim
	Elems []any
}

// A Dim is one dimension of an Array.
type Dim struct {
	Len   int32
	Lower int32
}

// NewArray makes a one-dimensional array with lower bound 1.
func NewArray(elem OID, elems []any) *Array {
	a := &Array{Elem: elem, Elems: elems}
	if len(elems) > 0 {
		a.Dims = []Dim{{Len: int32(len(elems)), Lower: 1}}
	}
	return a
}

// A Record is a row value. Names may be nil (an anonymous ROW).
type Record struct {
	Names []string
	Types []Type
	Vals  []any
}
