package otlp

import (
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Places of originFields after the first of them.
const (
	atResourceAttributes = iota
	atResourceDropped
	atResourceSchemaURL
	atResourceEntityRefs
	atScopeName
	atScopeVersion
	atScopeSchemaURL
	atScopeAttributes
	atScopeDropped
	atExt
	atSource
	atIngestedAt
)

// A resource is what its bytes mean in every row under it. It aliases nothing,
// so that decoders keep it for later requests: one copy for all.
type resource struct {
	present    bool
	attributes string
	dropped    int64
	entityRefs string
	service    string
	promoted   []promotedText
	ext        []byte
	err        error // a rejection of all items under it
}

type promotedText struct {
	field int
	text  string
}

func parseResource(b []byte, present bool, keys map[string]promotedKey) (*resource, error) {
	r := &resource{present: present, service: "unknown"}
	var kvs [][]byte
	var refs []byte
	refCount := 0
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			kvs = append(kvs, m.bytes())
		case 2:
			r.dropped = m.uint32()
		case 3:
			raw := m.bytes()
			if m.bad {
				break
			}
			if refCount > 0 {
				refs = append(refs, ", "...)
			}
			var ok bool
			var err error
			if refs, ok, err = appendEntityRef(refs, raw); err != nil {
				return nil, err
			}
			if !ok {
				r.ext = appendExtPart(r.ext, extEntityRef, refCount, raw)
			}
			refCount++
		}
	}
	if m.bad {
		return nil, ErrMalformed
	}
	if refCount > 0 {
		r.entityRefs = "[" + string(refs) + "]"
	}
	text, members, err := appendObject(nil, kvs, 0)
	if _, rejected := err.(rejection); rejected {
		r.err = err
		return r, nil
	} else if err != nil {
		return nil, err
	}
	r.attributes = string(text)
	ranks := make(map[int]int)
	for i, member := range members {
		if member.lossy {
			r.ext = appendBytes(r.ext, extResource, member.raw)
		}
		if i+1 < len(members) && members[i+1].key == member.key {
			continue
		}
		v, text := memberText(member)
		if member.key == "service.name" && v.tag == vector.TagString {
			r.service = text
		}
		p, ok := keys[member.key]
		if !ok || v.tag == vector.TagNull {
			continue
		}
		if rank, seen := ranks[p.field]; seen && rank < p.rank {
			continue
		} else if seen {
			r.promoted[len(r.promoted)-1].text = text
		} else {
			r.promoted = append(r.promoted, promotedText{p.field, text})
		}
		ranks[p.field] = p.rank
	}
	return r, nil
}

// memberText gives a member's value and its text as ->> does. It aliases
// nothing.
func memberText(m member) (value, string) {
	_, raw, _ := keyValue(m.raw)
	v, _ := parseValue(raw, 1)
	switch v.tag {
	case vector.TagString:
		text, _ := clean(v.str)
		return v, strings.Clone(text)
	case vector.TagJSON, vector.TagBytes:
		return v, v.str
	default:
		return v, scalarText(v)
	}
}

func appendEntityRef(dst, b []byte) (out []byte, ok bool, err error) {
	var kind, url string
	var ids, descriptions []string
	ok = true
	tidy := func(s string) string {
		text, valid := clean(s)
		ok = ok && valid
		return text
	}
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			url = tidy(m.text())
		case 2:
			kind = tidy(m.text())
		case 3:
			ids = append(ids, tidy(m.text()))
		case 4:
			descriptions = append(descriptions, tidy(m.text()))
		}
	}
	dst = pgtypes.JSONQuote(append(dst, `{"type": `...), kind)
	dst = appendTexts(append(dst, `, "id_keys": `...), ids)
	dst = pgtypes.JSONQuote(append(dst, `, "schema_url": `...), url)
	dst = appendTexts(append(dst, `, "description_keys": `...), descriptions)
	return append(dst, '}'), ok, m.err()
}

func appendTexts(dst []byte, texts []string) []byte {
	dst = append(dst, '[')
	for i, s := range texts {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = pgtypes.JSONQuote(dst, s)
	}
	return append(dst, ']')
}

// A scope is what its bytes mean in every row under it. It aliases nothing.
type scope struct {
	present       bool
	name, version string
	attributes    string
	dropped       int64
	ext           []byte
	err           error
}

func parseScope(b []byte, present bool) (*scope, error) {
	s := &scope{present: present}
	var kvs [][]byte
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			s.name = m.text()
		case 2:
			s.version = m.text()
		case 3:
			kvs = append(kvs, m.bytes())
		case 4:
			s.dropped = m.uint32()
		}
	}
	if m.bad {
		return nil, ErrMalformed
	}
	s.name, s.ext = cleanText(s.name, "scope_name", s.ext)
	s.version, s.ext = cleanText(s.version, "scope_version", s.ext)
	s.name, s.version = strings.Clone(s.name), strings.Clone(s.version)
	text, members, err := appendObject(nil, kvs, 0)
	if _, rejected := err.(rejection); rejected {
		s.err = err
		return s, nil
	} else if err != nil {
		return nil, err
	}
	s.attributes = string(text)
	for _, member := range members {
		if member.lossy {
			s.ext = appendBytes(s.ext, extScope, member.raw)
		}
	}
	return s, nil
}

// cleanText cleans the text of a column; what it loses goes to ext.
func cleanText(s, column string, ext []byte) (string, []byte) {
	text, ok := clean(s)
	if !ok {
		ext = appendExtText(ext, column, s)
	}
	return text, ext
}

// setResource sets the columns of a resource in rows from up to to.
func (d *decoder) setResource(from, to int, r *resource, schemaURL string) {
	t := d.table
	t.texts(d.service, from, to, r.service)
	t.texts(d.origin+atResourceAttributes, from, to, r.attributes)
	if r.entityRefs != "" {
		t.texts(d.origin+atResourceEntityRefs, from, to, r.entityRefs)
	}
	if schemaURL != "" {
		t.texts(d.origin+atResourceSchemaURL, from, to, schemaURL)
	}
	for _, p := range r.promoted {
		t.texts(p.field, from, to, p.text)
	}
	if r.present {
		for row := from; row < to; row++ {
			t.int(d.origin+atResourceDropped, row, r.dropped)
		}
	}
}

// setScope sets the columns of a scope in rows from up to to.
func (d *decoder) setScope(from, to int, s *scope, schemaURL string) {
	t := d.table
	if schemaURL != "" {
		t.texts(d.origin+atScopeSchemaURL, from, to, schemaURL)
	}
	if !s.present {
		return
	}
	if s.name != "" {
		t.texts(d.origin+atScopeName, from, to, s.name)
	}
	if s.version != "" {
		t.texts(d.origin+atScopeVersion, from, to, s.version)
	}
	t.texts(d.origin+atScopeAttributes, from, to, s.attributes)
	for row := from; row < to; row++ {
		t.int(d.origin+atScopeDropped, row, s.dropped)
	}
}

// appendTimestamp appends a time as jsonb shows a timestamptz in UTC.
func appendTimestamp(dst []byte, nanos int64) []byte {
	micros := nanos / 1000
	if nanos%1000 < 0 {
		micros--
	}
	t := unixMicro(micros)
	dst = t.AppendFormat(dst, "2006-01-02T15:04:05.999999")
	return append(dst, "+00:00"...)
}

// appendMember appends a key and an integer to a jsonb object under way.
func appendMember(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}
