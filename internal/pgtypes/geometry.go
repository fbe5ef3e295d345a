package pgtypes

import (
	"encoding/binary"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The geometric types are carried in PostgreSQL's text form; nothing computes
// with them. geometries gives how many numbers each has, 0 for any even number.
var geometries = map[OID]int{Point: 2, Lseg: 4, Box: 4, Line: 3, Circle: 3, Path: 0, Polygon: 0}

var (
	geometryNumber = regexp.MustCompile(`(?i)[+-]?(?:infinity|inf|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)`)
	// geometryMarks is what stands between the numbers.
	geometryMarks = regexp.MustCompile(`^[\s()\[\]<>{},]*$`)
)

// parseGeometry reads the text form.
func parseGeometry(t OID, s string) (string, error) {
	var numbers []float64
	for _, w := range geometryNumber.FindAllString(s, -1) {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return "", syntaxError(FormatType(Of(t)), s)
		}
		numbers = append(numbers, v)
	}
	want := geometries[t]
	if !geometryMarks.MatchString(geometryNumber.ReplaceAllString(s, "")) ||
		want > 0 && len(numbers) != want || want == 0 && (len(numbers) == 0 || len(numbers)%2 != 0) ||
		t == Line && !strings.HasPrefix(strings.TrimSpace(s), "{") || t == Circle && numbers[2] < 0 {
		return "", syntaxError(FormatType(Of(t)), s)
	}
	return geometryText(t, numbers, !strings.HasPrefix(strings.TrimSpace(s), "[")), nil
}

// geometryText writes numbers as PostgreSQL does.
func geometryText(t OID, v []float64, closed bool) string {
	number := func(i int) string { return string(appendFloat(nil, v[i], false, nil)) }
	if t == Box { // its upper right corner first
		v = []float64{max(v[0], v[2]), max(v[1], v[3]), min(v[0], v[2]), min(v[1], v[3])}
	}
	if t == Line {
		return "{" + number(0) + "," + number(1) + "," + number(2) + "}"
	}
	var points []string
	for i := 0; i+1 < len(v); i += 2 {
		points = append(points, "("+number(i)+","+number(i+1)+")")
	}
	text := strings.Join(points, ",")
	switch {
	case t == Circle:
		return "<" + text + "," + number(2) + ">"
	case t == Lseg, t == Path && !closed:
		return "[" + text + "]"
	case t == Path, t == Polygon:
		return "(" + text + ")"
	}
	return text
}

// appendGeometry appends the binary form of a text form.
func appendGeometry(dst []byte, t OID, text string) []byte {
	be := binary.BigEndian
	words := geometryNumber.FindAllString(text, -1)
	if t == Path {
		dst = append(dst, byte(boolInt(!strings.HasPrefix(text, "["))))
	}
	if t == Path || t == Polygon {
		dst = be.AppendUint32(dst, uint32(len(words)/2))
	}
	for _, w := range words {
		v, _ := strconv.ParseFloat(w, 64) // parseGeometry has read it
		dst = be.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// decodeGeometry reads the binary form.
func decodeGeometry(t OID, b []byte) (string, error) {
	be := binary.BigEndian
	closed, want := true, geometries[t]
	if t == Path {
		if len(b) < 1 {
			return "", shortBinary()
		}
		closed, b = b[0] != 0, b[1:]
	}
	if want == 0 {
		if len(b) < 4 {
			return "", shortBinary()
		}
		n := be.Uint32(b)
		b = b[4:]
		if n == 0 || uint64(n) > uint64(len(b))/16 {
			return "", shortBinary()
		}
		want = 2 * int(n)
	}
	switch {
	case len(b) < 8*want:
		return "", shortBinary()
	case len(b) > 8*want:
		return "", badBinary()
	}
	numbers := make([]float64, want)
	for i := range numbers {
		numbers[i] = math.Float64frombits(be.Uint64(b[8*i:]))
	}
	return geometryText(t, numbers, closed), nil
}
