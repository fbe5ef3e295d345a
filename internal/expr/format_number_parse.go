package expr

import (
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// toNumber is to_number: it reads a number by a template, as PostgreSQL 15's
// formatting.c does in the C locale.
func toNumber(text, template string) (any, error) {
	if template == "" {
		return nil, nil
	}
	t, err := parseNumberTemplate(template)
	if err != nil {
		return nil, err
	}
	switch {
	case t.scientific:
		return nil, pgerr.New(pgerr.FeatureNotSupported, `"EEEE" not supported for input`)
	case t.roman:
		return nil, pgerr.New(pgerr.FeatureNotSupported, `"RN" not supported for input`)
	}
	r := &numberReader{template: t, rest: text, sign: ' '}
	for _, n := range t.nodes {
		if r.rest == "" {
			break
		}
		r.node(n)
	}
	return r.number()
}

// A numberReader collects the digits of a text.
type numberReader struct {
	template  *numberTemplate
	rest      string // not yet read
	sign      byte   // ' ': none
	digits    []byte
	pre, post int // digits read before and behind the point
	point     bool
}

// number makes the number of what was read.
func (r *numberReader) number() (any, error) {
	t := r.template
	d, err := pgtypes.ParseNumeric(string(append([]byte{r.sign}, strings.TrimSuffix(string(r.digits), ".")...)))
	if err != nil {
		return nil, err
	}
	precision := t.pre + t.multi + r.post
	d, err = pgtypes.RoundToMod(d, int32(precision<<16|r.post)+4)
	if err != nil || !t.shift {
		return d, err
	}
	power, err := powerNumeric(apd.New(10, 0), apd.New(int64(-t.multi), 0))
	if err != nil {
		return nil, err
	}
	return boxed(pgtypes.NumericMul(d, power.(*apd.Decimal)))
}

// next gives the byte to be read, 0 at the end.
func (r *numberReader) next() byte {
	if r.rest == "" {
		return 0
	}
	return r.rest[0]
}

func (r *numberReader) skip() {
	if r.rest != "" {
		_, r.rest = cutRune(r.rest)
	}
}

// skipOthers skips up to n characters that cannot be part of a number.
func (r *numberReader) skipOthers(n int) {
	for ; n > 0 && r.rest != "" && !strings.ContainsRune("0123456789.,+-", rune(r.rest[0])); n-- {
		r.skip()
	}
}

// node reads what one item of the template stands for.
func (r *numberReader) node(n templateNode) {
	switch key := strings.ToUpper(n.key); key {
	case "": // a character of the template takes one of the text, whichever it is
		r.skip()
	case "9", "0", ".", "D":
		r.digit(key == "9" || key == "0")
		if r.rest != "" { // a byte, be it within a character
			r.rest = r.rest[1:]
		}
	case ",", "G":
		if !r.template.fill && r.next() == ',' {
			r.skip()
		}
	case "L":
		r.skipOthers(1)
	case "TH":
		if !r.template.decimal {
			r.skipOthers(2)
		}
	case "MI", "PL", "SG":
		c := r.next()
		if c == '-' && key != "PL" || c == '+' && key != "MI" {
			r.sign = c
			r.skip()
		} else {
			r.skipOthers(1)
		}
	}
}

// digit reads a digit or the point, and a sign before or behind the number. The
// last character read is left for the caller to skip.
func (r *numberReader) digit(digit bool) {
	t := r.template
	if r.next() == ' ' {
		r.rest = r.rest[1:]
	}
	if r.sign == ' ' && digit && r.pre+r.post == 0 {
		c := r.next()
		switch {
		case t.sign != noSign && t.sign != signBefore:
		case c == '-' || t.sign == noSign && t.bracket && c == '<':
			r.sign, r.rest = '-', r.rest[1:]
		case c == '+':
			r.sign, r.rest = '+', r.rest[1:]
		}
	}
	read := false
	switch c := r.next(); {
	case c >= '0' && c <= '9':
		if r.point && r.post == t.post {
			return
		}
		r.digits = append(r.digits, c)
		if read = true; r.point {
			r.post++
		} else {
			r.pre++
		}
	case t.decimal && !r.point && c == '.':
		r.digits = append(r.digits, '.')
		r.point, read = true, true
	}
	if r.sign != ' ' || r.pre+r.post == 0 || r.rest == "" {
		return
	}
	switch {
	case t.sign != noSign && read && len(r.rest) > 1 && !isDigitByte(r.rest[1]):
		if c := r.rest[1]; c == '-' || c == '+' {
			r.sign, r.rest = c, r.rest[1:]
		}
	case !read && t.sign == noSign && (t.plus || t.minus):
		if c := r.rest[0]; c == '-' || c == '+' {
			r.sign = c
		}
	}
}

func isDigitByte(c byte) bool { return c >= '0' && c <= '9' }
