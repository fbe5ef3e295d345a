package vector

import "github.com/tael-sql/tael-sql/internal/pgtypes"

// A Field describes one stored column of a table.
type Field struct {
	Name     string
	Kind     Kind
	Width    int // Hex: bytes a value
	Nullable bool
	Filter   bool // blocks keep a value filter of it, so that equality prunes
	Tokens   bool // blocks keep a token filter of its words
	Bytes    bool // String: raw bytes, not text

	// Elem is the type of the elements of an array, if it is the same for all.
	Elem pgtypes.OID
}

// A Schema is the stored columns of a table, in order. It never changes.
type Schema struct {
	Name   string
	Fields []Field
	index  map[string]int
}

// NewSchema makes a schema; field names must differ.
func NewSchema(name string, fields ...Field) *Schema {
	s := &Schema{Name: name, Fields: fields, index: make(map[string]int, len(fields))}
	for i, f := range fields {
		if _, dup := s.index[f.Name]; dup {
			panic("BUG: schema " + name + " has two fields " + f.Name)
		}
		s.index[f.Name] = i
	}
	return s
}

// Index gives the place of a field, or -1.
func (s *Schema) Index(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Rows is a run of rows of one table, all columns decoded: what the decoder
// makes of a request and what a memtable holds.
type Rows struct {
	Schema *Schema
	N      int
	Cols   []*Column // one a field
	// Ordinals numbers the rows within their request where items before them
	// were rejected; nil: row i is item i.
	Ordinals []uint32
}
