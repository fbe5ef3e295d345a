// Package redact takes out of OTLP requests what must not be stored.
//
// A request is rewritten field by field: attributes whose key is denied are
// left out, matches of rules are replaced in texts and bytes, and payloads of
// calls to language models are kept, hashed or left out. Everything else stays
// byte by byte, unknown fields as well. Numbers are not searched: a key is what
// denies them. What is not protobuf is an error.
//
// The package knows nothing of where requests come from, nor of rows.
package redact

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/easyproto"

	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/wal/record"
)

// Where a rule looks.
const (
	Attributes = "attributes" // values of all levels, also inside arrays and maps
	Bodies     = "bodies"     // log bodies, and the messages of spans' statuses
	Names      = "names"      // of spans and of their events
)

// What becomes of payloads.
const (
	KeepPayloads = "keep"
	HashPayloads = "hash" // the text sha256: with the hash in hexadecimal
	DropPayloads = "drop"
)

// A Rule replaces what a pattern matches.
type Rule struct {
	// Pattern is a regular expression of RE2.
	Pattern string
	// Replace may refer to groups as ${1}.
	Replace string
	// In says where to look. Default: Attributes and Bodies.
	In []string
}

// Options configure New. The zero value changes nothing.
type Options struct {
	// DenyKeys are keys of attributes, in which * is any text and ? any character.
	DenyKeys []string
	Rules    []Rule
	// Payloads is one of the constants. Default: KeepPayloads.
	Payloads string
}

// A Redactor rewrites requests. It is safe for concurrent use.
type Redactor struct {
	deny     *regexp.Regexp // nil: none
	rules    []rule
	payloads string
}

type rule struct {
	pattern *regexp.Regexp
	replace []byte
	in      place
}

// place is a set of where texts stand.
type place uint8

const (
	inAttributes place = 1 << iota
	inBodies
	inNames
)

var places = map[string]place{Attributes: inAttributes, Bodies: inBodies, Names: inNames}

// New makes a redactor; nil where there is nothing to change.
func New(o Options) (*Redactor, error) {
	r := &Redactor{payloads: o.Payloads}
	switch o.Payloads {
	case "":
		r.payloads = KeepPayloads
	case KeepPayloads, HashPayloads, DropPayloads:
	default:
		return nil, fmt.Errorf("payloads are kept by %s, %s or %s, not %q", KeepPayloads, HashPayloads, DropPayloads, o.Payloads)
	}
	if len(o.DenyKeys) > 0 {
		globs := make([]string, len(o.DenyKeys))
		for i, glob := range o.DenyKeys {
			if glob == "" {
				return nil, errors.New("a denied key is empty")
			}
			globs[i] = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(glob))
		}
		r.deny = regexp.MustCompile("(?s)^(?:" + strings.Join(globs, "|") + ")$")
	}
	for i, ru := range o.Rules {
		pattern, err := regexp.Compile(ru.Pattern)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		if ru.Pattern == "" {
			return nil, fmt.Errorf("rule %d has no pattern", i+1)
		}
		out := rule{pattern: pattern, replace: []byte(ru.Replace)}
		for _, name := range ru.In {
			if places[name] == 0 {
				return nil, fmt.Errorf("rule %d looks in %s, %s or %s, not %q", i+1, Attributes, Bodies, Names, name)
			}
			out.in |= places[name]
		}
		if len(ru.In) == 0 {
			out.in = inAttributes | inBodies
		}
		r.rules = append(r.rules, out)
	}
	if r.deny == nil && len(r.rules) == 0 && r.payloads == KeepPayloads {
		return nil, nil
	}
	return r, nil
}

// Rewrite gives the request without what must not be stored. The error is
// otlp.ErrMalformed.
func (r *Redactor) Rewrite(signal record.Type, body []byte) ([]byte, error) {
	w := &writer{Redactor: r, dst: make([]byte, 0, len(body)+len(body)/16)}
	if err := w.message(body, kindOf[signal], 0); err != nil {
		return nil, err
	}
	return w.dst, nil
}

// maxDepth is how deep messages are in each other at most: the decoder refuses
// values long before. What is deeper is left out.
const maxDepth = 100

// A writer writes one request.
type writer struct {
	*Redactor
	dst []byte
}

// message writes the fields of a message of a kind.
func (w *writer) message(b []byte, k *kind, depth int) error {
	if depth > maxDepth {
		return nil
	}
	genAI := k == logRecord && w.payloads != KeepPayloads && aboutModel(b)
	var f easyproto.FieldContext
	for len(b) > 0 {
		rest, err := f.NextField(b)
		if err != nil || f.FieldNum == 0 {
			return otlp.ErrMalformed
		}
		raw := b[:len(b)-len(rest)]
		b = rest
		field, ok := k.fields[f.FieldNum]
		if !ok {
			w.dst = append(w.dst, raw...)
			continue
		}
		sub, ok := f.MessageData()
		if !ok {
			return otlp.ErrMalformed
		}
		switch {
		case field.text != 0:
			w.text(f.FieldNum, w.replaced(sub, field.text))
		case field.kind.pair:
			err = w.keyValue(f.FieldNum, sub, field.kind, k.payloads, depth)
		case genAI && field.kind == bodyValue:
			w.payload(f.FieldNum, sub)
		default:
			mark := w.begin(f.FieldNum)
			err = w.message(sub, field.kind, depth+1)
			w.end(mark)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keyValue writes an attribute, unless it is denied.
func (w *writer) keyValue(num uint32, b []byte, k *kind, payloads bool, depth int) error {
	key, err := lastText(b, 1)
	if err != nil {
		return err
	}
	if w.deny != nil && w.deny.MatchString(key) {
		return nil
	}
	if payloads && w.payloads != KeepPayloads && otlp.LLMPayload(key) {
		if w.payloads == DropPayloads {
			return nil
		}
		value, err := lastText(b, 2)
		if err != nil {
			return err
		}
		mark := w.begin(num)
		w.text(1, []byte(key))
		w.payload(2, []byte(value))
		w.end(mark)
		return nil
	}
	mark := w.begin(num)
	defer func() { w.end(mark) }()
	return w.message(b, k, depth+1)
}

// payload writes the hash of an AnyValue, or an empty one.
func (w *writer) payload(num uint32, value []byte) {
	mark := w.begin(num)
	if w.payloads == HashPayloads {
		text, err := lastText(value, 1)
		if err != nil || text == "" { // no text: the hash is of the value in protobuf
			text = string(value)
		}
		sum := sha256.Sum256([]byte(text))
		w.text(1, []byte("sha256:"+hex.EncodeToString(sum[:])))
	}
	w.end(mark)
}

// replaced applies the rules of a place.
func (w *writer) replaced(text []byte, at place) []byte {
	for _, r := range w.rules {
		if r.in&at != 0 && r.pattern.Match(text) {
			text = r.pattern.ReplaceAll(text, r.replace)
		}
	}
	return text
}

// text writes a field of texts or bytes.
func (w *writer) text(num uint32, text []byte) {
	w.dst = binary.AppendUvarint(w.dst, uint64(num)<<3|2)
	w.dst = binary.AppendUvarint(w.dst, uint64(len(text)))
	w.dst = append(w.dst, text...)
}

// begin starts a message, with room for one byte of its length.
func (w *writer) begin(num uint32) int {
	w.dst = append(binary.AppendUvarint(w.dst, uint64(num)<<3|2), 0)
	return len(w.dst)
}

func (w *writer) end(mark int) {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(w.dst)-mark))
	w.dst = slices.Replace(w.dst, mark-1, mark, length[:n]...)
}

// lastText gives a field of texts or bytes as protobuf does: where it comes
// again, the last counts.
func lastText(b []byte, num uint32) (text string, err error) {
	var f easyproto.FieldContext
	for len(b) > 0 {
		rest, err := f.NextField(b)
		if err != nil {
			return "", otlp.ErrMalformed
		}
		if b = rest; f.FieldNum != num {
			continue
		}
		raw, ok := f.MessageData()
		if !ok {
			return "", otlp.ErrMalformed
		}
		text = string(raw)
	}
	return text, nil
}

// aboutModel says whether a log record is an event of the GenAI conventions,
// whose body is payload.
func aboutModel(b []byte) bool {
	if name, err := lastText(b, 12); err != nil || strings.HasPrefix(name, "gen_ai.") {
		return true
	}
	var f easyproto.FieldContext
	for len(b) > 0 {
		rest, err := f.NextField(b)
		if err != nil {
			return true // the decoder refuses it
		}
		if b = rest; f.FieldNum != 6 {
			continue
		}
		sub, _ := f.MessageData()
		if key, err := lastText(sub, 1); err == nil && key == "event.name" {
			value, _ := lastText(sub, 2)
			if name, _ := lastText([]byte(value), 1); strings.HasPrefix(name, "gen_ai.") {
				return true
			}
		}
	}
	return false
}
