package anomaly

import "testing"

func TestTemplate(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{
			"17:11:09.209 INFO  t.c.Travel2Controller#115 TraceID: 30e76ebbc2321b92163103c86ffe90aa SpanID: 9c0995a5087a63ba [query][Query TripResponse]",
			"INFO t.c.Travel2Controller#115 [query][Query TripResponse]",
		},
		{"2026-11-23T14:34:40Z level=info msg=ready", "level msg"},
		{"user 4711 logged in", "user * logged in"},
		{"conversion request successful", "conversion request successful"},
		{"order 8a533bf9-bd12-4608-a8eb-606890982448 paid", "order * paid"},
		{"getting a list of trips: [Trip(id=1)] by name", "getting a list of trips"},
		{"one two three four five six seven eight nine ten", "one two three four five six seven eight"},
		{"first line\nsecond line", "first line"},
		{"", ""},
	} {
		if got := Template(c.body); got != c.want {
			t.Errorf("%q: got %q, want %q", c.body, got, c.want)
		}
	}
}

func TestThrown(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"threw exception [nested exception is java.lang.IllegalStateException: No instances]", "IllegalStateException"},
		{"ValueError: bad", "ValueError"},
		{"Error: it broke", ""},
		{"NoErrors here", ""},
		{"ErrorHandler of TypeError", "TypeError"},
		{"all fine", ""},
	} {
		if got := Thrown(c.body); got != c.want {
			t.Errorf("%q: got %q, want %q", c.body, got, c.want)
		}
	}
}
