package anomaly

import "strings"

const (
	templateTokens = 8
	hexDigits      = 8  // from so many on, a word of hex digits is an id
	idDigits       = 16 // of a trace or span id at the start of a line
)

// Template gives what log records of one place in the code have in common: the
// first words, without time stamps, ids and values.
func Template(body string) string {
	var b strings.Builder
	tokens := 0
	label := false // the word before was "TraceID:" or its like
	rest := firstLine(body)
	for {
		word := ""
		if word, rest = nextWord(rest); word == "" {
			break
		}
		switch {
		case tokens == 0 && (isTime(word) || isID(word, idDigits)), label && isID(word, hexDigits):
			label = false
			continue
		case isIDLabel(word):
			label = true
			continue
		}
		label = false
		cut := strings.IndexAny(word, "=({:,")
		token := word
		if cut >= 0 {
			token = word[:cut]
		}
		if tokens > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(generic(token))
		tokens++
		if tokens == templateTokens || cut >= 0 && tokens >= 4 {
			break
		}
	}
	return b.String()
}

// nextWord cuts the first word off.
func nextWord(s string) (word, rest string) {
	from := 0
	for from < len(s) && (s[from] == ' ' || s[from] == '\t' || s[from] == '\r') {
		from++
	}
	to := from
	for to < len(s) && s[to] != ' ' && s[to] != '\t' && s[to] != '\r' {
		to++
	}
	return s[from:to], s[to:]
}

func firstLine(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1024 {
		s = s[:1024]
	}
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// generic replaces a word with values in it by *. The place in the code,
// file#line, is no value.
func generic(word string) string {
	if isID(strings.Trim(word, "[]<>\"'"), hexDigits) {
		return "*"
	}
	if file, line, ok := strings.Cut(word, "#"); ok && file != "" && !isNumber(file) && isNumber(line) {
		return word
	}
	if hasDigit(word) {
		return "*"
	}
	return word
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

func isNumber(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// isTime recognises the parts of a time stamp: digits with the marks of dates
// and times.
func isTime(word string) bool {
	digits := 0
	for _, c := range []byte(word) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte("-:.,TZ+/[]", c) < 0:
			return false
		}
	}
	return digits >= 2
}

func isID(word string, least int) bool {
	if len(word) < least {
		return false
	}
	for _, c := range []byte(word) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') && c != '-' {
			return false
		}
	}
	return true
}

func isIDLabel(word string) bool {
	if len(word) < len("spanid") || len(word) > len("[trace_id]:=") {
		return false
	}
	w := strings.ToLower(strings.Trim(word, ":=[]"))
	return w == "traceid" || w == "spanid" || w == "trace_id" || w == "span_id"
}

// Thrown gives the simple name of the first exception that a body names, as
// NullPointerException or ValueError; "" for none.
func Thrown(body string) string {
	for from := 0; ; {
		at, suffix := -1, ""
		for _, s := range []string{"Exception", "Error"} {
			if i := strings.Index(body[from:], s); i >= 0 && (at < 0 || from+i < at) {
				at, suffix = from+i, s
			}
		}
		if at < 0 {
			return ""
		}
		end := at + len(suffix)
		start := at
		for start > 0 && isLetter(body[start-1]) {
			start--
		}
		if start < at && body[start] >= 'A' && body[start] <= 'Z' && (end == len(body) || !isLetter(body[end])) {
			return body[start:end]
		}
		from = end
	}
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
