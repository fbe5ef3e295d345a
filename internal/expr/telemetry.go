package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// telemetryFunctions is what the table functions check their arguments by.
func telemetryFunctions() map[string]impl {
	return map[string]impl{
		"window_interval(int4)": fn1(windowInterval),
		"to_trace_id(text)":     fn1(func(text string) (any, error) { return boxed(TraceID(text)) }),
	}
}

func windowInterval(seconds int64) (any, error) {
	if seconds <= 0 {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "a window of %d seconds is not positive", seconds)
	}
	return pgtypes.Interval{Micros: seconds * 1e6}, nil
}

// TraceID gives a trace id as it is stored, of an id in any letter case.
func TraceID(text string) (string, error) {
	id := strings.ToLower(strings.TrimSpace(text))
	valid := len(id) == 32
	for _, c := range []byte(id) {
		valid = valid && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !valid {
		return "", pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for a trace id: \"%s\"", text).
			WithHint("A trace id is 32 hex digits.")
	}
	return id, nil
}
