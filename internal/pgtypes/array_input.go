package pgtypes

import (
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// arrayParser reads the text form of an array: {1,2}, {{a,"b c"},{NULL,d}},
// [0:1]={5,6}.
type arrayParser struct {
	text  string
	at    int
	elem  Type
	style *TextStyle
	delim byte
	dims  []Dim
	elems []any
	leaf  bool // an element was read: braces go no deeper
}

func parseArray(elem Type, s string, style *TextStyle) (any, error) {
	p := &arrayParser{text: s, elem: elem, style: style, delim: ','}
	if info := Lookup(elem.OID); info != nil {
		p.delim = info.Delim
	}
	bounds, err := p.bounds()
	if err != nil {
		return nil, err
	}
	p.skip()
	if p.at >= len(p.text) || p.text[p.at] != '{' {
		return nil, p.malformed("Array value must start with \"{\" or dimension information.")
	}
	if err := p.level(0); err != nil {
		return nil, err
	}
	p.skip()
	if p.at != len(p.text) {
		return nil, p.malformed("Junk after closing right brace.")
	}
	a := &Array{Elem: elem.OID, Dims: p.dims, Elems: p.elems}
	if len(p.elems) == 0 {
		a.Dims = nil
		return a, nil
	}
	if bounds != nil {
		if len(bounds) != len(a.Dims) {
			return nil, p.malformed("Specified array dimensions do not match array contents.")
		}
		for i := range bounds {
			if bounds[i].Len != a.Dims[i].Len {
				return nil, p.malformed("Specified array dimensions do not match array contents.")
			}
		}
		a.Dims = bounds
	}
	return a, nil
}

func (p *arrayParser) malformed(detail string) error {
	return pgerr.New(pgerr.InvalidTextRepresentation, "malformed array literal: \"%s\"", p.text).WithDetail("%s", detail)
}

func (p *arrayParser) skip() {
	for p.at < len(p.text) && strings.IndexByte(spaces, p.text[p.at]) >= 0 {
		p.at++
	}
}

// bounds reads [low:high]…= in front of the braces.
func (p *arrayParser) bounds() ([]Dim, error) {
	p.skip()
	var dims []Dim
	for p.at < len(p.text) && p.text[p.at] == '[' {
		end := strings.IndexByte(p.text[p.at:], ']')
		if end < 0 {
			return nil, p.malformed("Missing \"]\" after array dimensions.")
		}
		low, high, ok := strings.Cut(p.text[p.at+1:p.at+end], ":")
		if !ok {
			low, high = "1", low
		}
		l, err1 := strconv.ParseInt(strings.TrimSpace(low), 10, 32)
		h, err2 := strconv.ParseInt(strings.TrimSpace(high), 10, 32)
		if err1 == nil && err2 == nil && h < l {
			return nil, pgerr.New(pgerr.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
		if err1 != nil || err2 != nil {
			return nil, p.malformed("\"[\" must introduce explicitly-specified array dimensions.")
		}
		dims = append(dims, Dim{Len: int32(h - l + 1), Lower: int32(l)})
		p.at += end + 1
	}
	if dims != nil {
		p.skip()
		if p.at >= len(p.text) || p.text[p.at] != '=' {
			return nil, p.malformed("Missing \"=\" after array dimensions.")
		}
		p.at++
	}
	return dims, nil
}

// level reads one pair of braces.
func (p *arrayParser) level(depth int) error {
	if depth >= 6 {
		return pgerr.New(pgerr.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (6)", depth+1)
	}
	p.at++ // {
	count := int32(0)
	if depth == len(p.dims) {
		if p.leaf {
			return p.malformed("Unexpected array element.")
		}
		p.dims = append(p.dims, Dim{Lower: 1, Len: -1})
	}
	p.skip()
	if p.at < len(p.text) && p.text[p.at] == '}' {
		if depth > 0 {
			return p.malformed("Unexpected \"}\" character.")
		}
		p.at++
		return p.close(depth, 0)
	}
	for {
		p.skip()
		if p.at >= len(p.text) {
			return p.malformed("Unexpected end of input.")
		}
		if p.text[p.at] == '{' {
			if err := p.level(depth + 1); err != nil {
				return err
			}
		} else {
			if depth+1 != len(p.dims) {
				return p.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			if err := p.element(); err != nil {
				return err
			}
		}
		count++
		p.skip()
		if p.at >= len(p.text) {
			return p.malformed("Unexpected end of input.")
		}
		c := p.text[p.at]
		p.at++
		switch c {
		case p.delim:
		case '}':
			return p.close(depth, count)
		default:
			return p.malformed("Unexpected array element.")
		}
	}
}

func (p *arrayParser) close(depth int, count int32) error {
	if p.dims[depth].Len >= 0 && p.dims[depth].Len != count {
		return p.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
	}
	p.dims[depth].Len = count
	return nil
}

func (p *arrayParser) element() error {
	p.leaf = true
	var text strings.Builder
	quoted := false
	if p.text[p.at] == '"' {
		quoted = true
		for p.at++; ; p.at++ {
			if p.at >= len(p.text) {
				return p.malformed("Unexpected end of input.")
			}
			c := p.text[p.at]
			if c == '"' {
				p.at++
				break
			}
			if c == '\\' && p.at+1 < len(p.text) {
				p.at++
				c = p.text[p.at]
			}
			text.WriteByte(c)
		}
	} else {
		for p.at < len(p.text) && p.text[p.at] != p.delim && p.text[p.at] != '}' {
			c := p.text[p.at]
			if c == '{' || c == '"' {
				return p.malformed("Unexpected \"" + string(c) + "\" character.")
			}
			if c == '\\' && p.at+1 < len(p.text) {
				p.at++
				c = p.text[p.at]
			}
			text.WriteByte(c)
			p.at++
		}
	}
	s := text.String()
	if !quoted {
		s = strings.TrimRight(s, spaces)
		if s == "" {
			return p.malformed("Unexpected \"" + string(p.text[min(p.at, len(p.text)-1)]) + "\" character.")
		}
		if strings.EqualFold(s, "null") {
			p.elems = append(p.elems, nil)
			return nil
		}
	}
	v, err := DecodeText(p.elem, s, p.style)
	p.elems = append(p.elems, v)
	return err
}
