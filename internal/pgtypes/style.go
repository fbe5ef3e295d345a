package pgtypes

import "time"

// A TextStyle is the settings that text output and input depend on. The zero
// value is ISO dates in MDY order, UTC, the shortest exact floats and hex bytea.
type TextStyle struct {
	DateStyle     string         // "ISO" (default), "SQL", "Postgres", "German"
	DateOrder     string         // "MDY" (default), "DMY", "YMD": how 1/2/2003 is read
	Location      *time.Location // nil: UTC
	IntervalStyle string         // "postgres" (default), "iso_8601", "sql_standard", "postgres_verbose"
	// Digits is extra_float_digits as set: nil means 1, which like all values
	// above 0 gives the shortest text that reads back exactly.
	Digits      *int
	ByteaEscape bool // bytea_output = escape
	// Now is the transaction's time, for the words now, today, tomorrow and
	// yesterday; 0 reads the clock.
	Now int64
	// RegName gives the text of regclass, regtype and their kin; nil leaves them numbers.
	RegName func(kind, object OID) string
}

func (s *TextStyle) location() *time.Location {
	if s == nil || s.Location == nil {
		return time.UTC
	}
	return s.Location
}

func (s *TextStyle) now() int64 {
	if s == nil || s.Now == 0 {
		return time.Now().UnixMicro() - EpochUnixMicros
	}
	return s.Now
}

func (s *TextStyle) order() string {
	if s == nil || s.DateOrder == "" {
		return "MDY"
	}
	return s.DateOrder
}

func (s *TextStyle) dateStyle() string {
	if s == nil || s.DateStyle == "" {
		return "ISO"
	}
	return s.DateStyle
}

func (s *TextStyle) intervalStyle() string {
	if s == nil || s.IntervalStyle == "" {
		return "postgres"
	}
	return s.IntervalStyle
}
