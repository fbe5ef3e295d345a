package session

import (
	"math"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A unit is a suffix of values with its size in the units that settings keep:
// ms and kB.
type unit struct {
	suffix string
	size   float64
}

// timeUnits and memoryUnits, from the largest to the smallest.
var (
	timeUnits   = []unit{{"d", 86_400_000}, {"h", 3_600_000}, {"min", 60_000}, {"s", 1000}, {"ms", 1}, {"us", 0.001}}
	memoryUnits = []unit{{"TB", 1 << 30}, {"GB", 1 << 20}, {"MB", 1 << 10}, {"kB", 1}, {"B", 1.0 / 1024}}
)

// unitsOf gives the units that a setting takes, and how a hint lists them.
func unitsOf(d catalog.Setting) (units []unit, listed string) {
	switch d.Unit {
	case "ms":
		return timeUnits, `"us", "ms", "s", "min", "h", and "d"`
	case "kB":
		return memoryUnits, `"B", "kB", "MB", "GB", and "TB"`
	}
	return nil, ""
}

// number reads an integer with its unit, and checks its range.
func number(d catalog.Setting, value string) (string, error) {
	text := strings.TrimSpace(value)
	end := len(text)
	for end > 0 && (text[end-1] < '0' || text[end-1] > '9') && text[end-1] != '.' {
		end--
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	if err != nil {
		return "", invalid(d.Name, value)
	}
	if suffix := strings.TrimSpace(text[end:]); suffix != "" {
		units, listed := unitsOf(d)
		known := false
		for _, u := range units {
			if u.suffix == suffix {
				n, known = n*u.size, true
			}
		}
		if !known {
			e := invalid(d.Name, value)
			if listed != "" {
				e = e.WithHint("Valid units for this parameter are %s.", listed)
			}
			return "", e
		}
	}
	n = math.RoundToEven(n)
	least, _ := strconv.ParseFloat(d.Least, 64)
	greatest, _ := strconv.ParseFloat(d.Greatest, 64)
	if n < least || n > greatest {
		space := ""
		if d.Unit != "" {
			space = " "
		}
		return "", pgerr.New(pgerr.InvalidParameterValue, "%.0f%s is outside the valid range for parameter \"%s\" (%s .. %s)", n, space+d.Unit, d.Name, d.Least, d.Greatest)
	}
	return strconv.FormatFloat(n, 'f', -1, 64), nil
}

// display gives a setting as SHOW does: in the largest unit that holds it.
func (s *settings) display(name string) (string, bool) {
	v, ok := s.lookup(name)
	units, _ := unitsOf(details()[strings.ToLower(name)])
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 {
		return v, ok
	}
	for _, u := range units {
		if u.size >= 1 && n%int64(u.size) == 0 {
			return strconv.FormatInt(n/int64(u.size), 10) + u.suffix, ok
		}
	}
	return v, ok
}
