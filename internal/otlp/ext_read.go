package otlp

// An ext is the attributes_ext of a row.
type ext struct {
	item, resource, scope, metadata []extraAttribute

	parts []extraPart
	texts map[string]string // by column
	enums map[string]int32  // by column

	level [levels][]byte // what concerns more than the item
}

// An extraAttribute is a KeyValue under the key that the column has.
type extraAttribute struct {
	key string
	raw []byte
}

type extraPart struct {
	num   uint32
	index int
	raw   []byte
}

// part gives the message of a list's element.
func (x *ext) part(num uint32, index int) ([]byte, bool) {
	for _, p := range x.parts {
		if p.num == num && p.index == index {
			return p.raw, true
		}
	}
	return nil, false
}

// loadExt reads the attributes_ext of the row.
func (e *encoder) loadExt() {
	e.last, e.ext = e.ext, ext{}
	raw, ok := e.text(e.origin + atExt)
	if !ok {
		return
	}
	m := message{rest: []byte(raw)}
	for m.next() {
		num := m.num()
		sub := m.bytes()
		if m.bad || !e.ext.add(num, sub) {
			e.fail(e.origin+atExt, "is malformed")
			return
		}
	}
	if m.bad {
		e.fail(e.origin+atExt, "is malformed")
	}
}

func (x *ext) add(num uint32, sub []byte) bool {
	level := levels // none
	switch num {
	case extItem, extResource, extScope, extMetadata:
		key, _, err := keyValue(sub)
		if err != nil {
			return false
		}
		key, _ = clean(key)
		list := &x.item
		switch num {
		case extResource:
			list, level = &x.resource, levelResource
		case extScope:
			list, level = &x.scope, levelScope
		case extMetadata:
			list, level = &x.metadata, levelMetric
		}
		*list = append(*list, extraAttribute{key, sub})
	case extEvent, extLink, extExemplar, extEntityRef:
		if num == extEntityRef {
			level = levelResource
		}
		p := extraPart{num: num}
		m := message{rest: sub}
		for m.next() {
			switch m.num() {
			case 1:
				p.index = int(m.varint())
			case 2:
				p.raw = m.bytes()
			}
		}
		if m.bad {
			return false
		}
		x.parts = append(x.parts, p)
	case extText, extEnum:
		var column, text string
		var number int32
		m := message{rest: sub}
		for m.next() {
			switch {
			case m.num() == 1:
				column = m.text()
			case m.num() == 2 && num == extText:
				text = m.text()
			case m.num() == 2:
				number = m.int32()
			}
		}
		if m.bad {
			return false
		}
		if num == extText {
			if x.texts == nil {
				x.texts = make(map[string]string)
			}
			x.texts[column] = text
		} else {
			if x.enums == nil {
				x.enums = make(map[string]int32)
			}
			x.enums[column] = number
		}
		level = levelOf(column)
	}
	if level < levels {
		x.level[level] = appendBytes(x.level[level], uint64(num), sub)
	}
	return true
}

// levelOf says at which level rows share a column.
func levelOf(column string) int {
	switch column {
	case "resource_schema_url":
		return levelResource
	case "scope_name", "scope_version", "scope_schema_url":
		return levelScope
	case "name", "unit", "description", "temporality":
		return levelMetric
	}
	return levels
}
