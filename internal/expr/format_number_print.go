package expr

import (
	"bytes"
	"fmt"
	"strings"
)

// A numberPrinter lays the digits of a number over a template. The rules for
// blanks, zeros and signs are those of PostgreSQL's NUM_processor, including
// where they surprise.
type numberPrinter struct {
	*numberTemplate
	number   string // digits without sign
	at       int    // next of number
	negative bool
	blanks   int // places of the template before the number's first digit
	last     int // last digit of number that FM keeps; -1: no limit
	count    int // places in all
	place    int // places done
	begun    bool
	signDone bool
	out      bytes.Buffer
}

// print gives the text for a number with its sign.
func (t *numberTemplate) print(text string) (string, error) {
	p := &numberPrinter{numberTemplate: t, number: text, last: -1}
	if t.roman {
		t.sign, t.preSign, t.pre, t.post = noSign, 0, 0, 0
		t.zero, t.blank, t.decimal, t.bracket, t.minus, t.plus, t.shift = false, false, false, false, false, false, false
	} else {
		p.number, p.negative = strings.CutPrefix(text, "-")
		whole := strings.IndexByte(p.number, '.')
		if whole < 0 {
			whole = len(p.number)
		}
		if whole > t.pre { // does not fit
			p.number = strings.Repeat("#", t.pre) + "." + strings.Repeat("#", t.post)
		} else {
			p.blanks = t.pre - whole
		}
	}
	p.prepare()
	for _, n := range t.nodes {
		if n.key == "" {
			p.out.WriteString(n.char)
			continue
		}
		if err := p.keyword(n.key); err != nil {
			return "", err
		}
	}
	// A digit asked for beyond the number's end ends the text.
	out, _, _ := bytes.Cut(p.out.Bytes(), []byte{0})
	return string(out), nil
}

func (p *numberPrinter) prepare() {
	if p.zeroStart > 0 {
		p.zeroStart--
	}
	if p.plus || p.minus {
		p.signDone = !p.plus || p.minus
	} else {
		if !p.negative && p.fill {
			p.bracket = false
		}
		p.signDone = !p.negative && p.fill && p.sign == noSign && !p.roman
		if p.sign == signBefore && p.pre == p.preSign {
			p.sign = signAfter
		}
	}
	p.count = p.post + p.pre - 1
	if p.fill && p.decimal {
		if p.last = strings.IndexByte(p.number, '.'); p.last >= 0 {
			p.last = max(p.last, len(strings.TrimRight(p.number, "0"))-1)
			if p.zeroEnd > p.blanks {
				p.last = max(p.last, min(len(p.number)-1, p.zeroEnd-p.blanks))
			}
		}
	}
	if !p.signDone && p.blanks == 0 {
		p.count++
	}
}

// lastIsPoint: FM leaves no digit after the point.
func (p *numberPrinter) lastIsPoint() bool { return p.last >= 0 && p.number[p.last] == '.' }

// noLeadingZero: the 0 before the point is not printed.
func (p *numberPrinter) noLeadingZero() bool {
	return !p.zero && p.at == 0 && strings.HasPrefix(p.number, "0") && p.post != 0
}

func (p *numberPrinter) blankOr(c byte, is bool) {
	switch {
	case is:
		p.out.WriteByte(c)
	case !p.fill:
		p.out.WriteByte(' ')
	}
}

func (p *numberPrinter) signChar() byte {
	if p.negative {
		return '-'
	}
	return '+'
}

func (p *numberPrinter) keyword(key string) error {
	switch key {
	case "9", "0", ".", "D", "d":
		p.digit(key == "0")
	case ",", "G", "g":
		p.blankOr(',', p.begun)
	case "L", "l":
		p.out.WriteByte(' ') // the currency sign of the locale C
	case "RN", "rn":
		roman := inCaseOf(key, p.number)
		if p.fill {
			p.out.WriteString(roman)
		} else {
			fmt.Fprintf(&p.out, "%15s", roman)
		}
	case "TH", "th":
		if p.roman || p.number[0] == '#' || p.negative || p.decimal {
			return nil
		}
		suffix, err := ordinalSuffix(p.number, key[0])
		if err != nil {
			return err
		}
		p.out.WriteString(suffix)
	case "MI", "mi":
		p.blankOr('-', p.negative)
	case "PL", "pl":
		p.blankOr('+', !p.negative)
	case "SG", "sg":
		p.out.WriteByte(p.signChar())
	}
	return nil
}

// digit prints one place of the number.
func (p *numberPrinter) digit(zeroKey bool) {
	if p.roman {
		return
	}
	p.begun = false
	if !p.signDone && (p.place >= p.blanks || p.zero && p.zeroStart == p.place) &&
		(!p.noLeadingZero() || p.lastIsPoint()) {
		p.leadingSign()
	}
	switch {
	case p.place < p.blanks && (p.zeroStart > p.place || !p.zero):
		p.blankOr(0, false)
	case p.place < p.blanks:
		p.out.WriteByte('0')
		p.begun = true
	default:
		p.digitOfNumber(zeroKey)
	}
	end := p.count
	if p.blanks > 0 {
		end++
	}
	if p.decimal {
		end++
	}
	if p.last >= 0 && p.last == p.at {
		end = p.place
	}
	if p.place+1 == end {
		switch {
		case p.signDone && p.bracket:
			p.out.WriteByte(map[bool]byte{true: '>', false: ' '}[p.negative])
		case p.sign == signAfter:
			p.out.WriteByte(p.signChar())
		}
	}
	p.place++
}

func (p *numberPrinter) leadingSign() {
	switch {
	case p.sign == signBefore:
		p.out.WriteByte(p.signChar())
	case p.sign != noSign:
		return
	case p.bracket:
		p.out.WriteByte(map[bool]byte{true: '<', false: ' '}[p.negative])
	case p.negative:
		p.out.WriteByte('-')
	default:
		p.blankOr(0, false)
	}
	p.signDone = true
}

func (p *numberPrinter) digitOfNumber(zeroKey bool) {
	if p.at >= len(p.number) {
		if !(p.last >= 0 && p.at > p.last && !zeroKey) {
			p.out.WriteByte(0)
			p.begun = true
		}
		return
	}
	c := p.number[p.at]
	switch {
	case c == '.':
		p.out.WriteByte('.')
	case p.last >= 0 && p.at > p.last && !zeroKey:
	case p.noLeadingZero():
		if !p.fill {
			p.out.WriteByte(' ')
		} else if p.lastIsPoint() {
			p.out.WriteByte('0')
		}
	default:
		p.out.WriteByte(c)
		p.begun = true
	}
	p.at++
}
