package cold

import (
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A leaf is one Parquet column.
type leaf struct {
	path     string // its place in the schema, dotted
	typ      parquet.Type
	width    int // of a FIXED_LEN_BYTE_ARRAY
	def, rep int // the highest levels
}

// A form says how a field lies in Parquet columns.
type form uint8

const (
	formInt      form = iota + 1
	formTime          // microseconds and nanoseconds
	formRelative      // less the time
	formHex
	formBool
	formFloat
	formText
	formOutside // text, hash and length
	formList
	formMap // the frequent keys, then key and value of the other attributes, then key and value of those outside
)

// A place is where a field lies.
type place struct {
	form     form
	first    int // the first of its leaves
	frequent []frequentKey
}

// columns is the Parquet schema of a part, in order.
type columns struct {
	leaves []leaf
	places []place // by field
	row    int
	lsn    int
	time   int // the time field, -1 for none
	root   *schema.GroupNode
}

const nanosSuffix = "_unix_nano"

// newColumns lays out the fields; frequent are the frequent keys of Map fields.
func newColumns(spec *Spec, frequent map[string][]frequentKey) (*columns, error) {
	b := &columnsBuilder{columns: &columns{time: spec.Schema.Index(spec.Time)}}
	for i, f := range spec.Schema.Fields {
		p := place{form: formOf(spec, i, f), first: len(b.leaves), frequent: frequent[f.Name]}
		b.places = append(b.places, p)
		b.field(spec, p, f)
	}
	required := parquet.Repetitions.Required
	b.row = b.leaf("_row", required, parquet.Types.Int64, 0, nil)
	b.lsn = b.leaf("_lsn", required, parquet.Types.Int64, 0, nil)
	if b.err != nil {
		return nil, b.err
	}
	var err error
	b.root, err = schema.NewGroupNode("schema", required, b.nodes, -1)
	return b.columns, err
}

func formOf(spec *Spec, i int, f vector.Field) form {
	switch f.Kind {
	case vector.Int64:
		_, relative := spec.Relative[f.Name]
		switch {
		case f.Name == spec.Time:
			return formTime
		case relative:
			return formRelative
		}
		return formInt
	case vector.Hex:
		return formHex
	case vector.Bool:
		return formBool
	case vector.Float:
		return formFloat
	case vector.String:
		for _, name := range spec.Outside {
			if name == f.Name {
				return formOutside
			}
		}
		return formText
	case vector.Map:
		return formMap
	}
	return formList
}

// columnsBuilder keeps the first error.
type columnsBuilder struct {
	*columns
	nodes schema.FieldList
	err   error
}

func (b *columnsBuilder) node(n schema.Node, err error) schema.Node {
	if b.err == nil {
		b.err = err
	}
	return n
}

// primitive makes a column, without a place in the schema yet.
func (b *columnsBuilder) primitive(name string, rep parquet.Repetition, typ parquet.Type, width int, logical schema.LogicalType) schema.Node {
	if logical == nil {
		logical = schema.NoLogicalType{}
	}
	return b.node(schema.NewPrimitiveNodeLogical(name, rep, logical, typ, width, -1))
}

// leaf adds a column at the top of the schema.
func (b *columnsBuilder) leaf(name string, rep parquet.Repetition, typ parquet.Type, width int, logical schema.LogicalType) int {
	b.nodes = append(b.nodes, b.primitive(name, rep, typ, width, logical))
	l := leaf{path: name, typ: typ, width: width}
	if rep == parquet.Repetitions.Optional {
		l.def = 1
	}
	b.leaves = append(b.leaves, l)
	return len(b.leaves) - 1
}

func (b *columnsBuilder) field(spec *Spec, p place, f vector.Field) {
	optional := parquet.Repetitions.Optional
	rep := parquet.Repetitions.Required
	if f.Nullable {
		rep = optional
	}
	text := schema.LogicalType(schema.StringLogicalType{})
	if f.Bytes {
		text = nil
	}
	switch p.form {
	case formInt:
		b.leaf(f.Name, rep, parquet.Types.Int64, 0, nil)
	case formTime:
		name := strings.TrimSuffix(f.Name, nanosSuffix)
		b.leaf(name, parquet.Repetitions.Required, parquet.Types.Int64, 0, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros))
		b.leaf(name+"_nanos", parquet.Repetitions.Required, parquet.Types.Int32, 0, nil)
	case formRelative:
		b.leaf(spec.Relative[f.Name], rep, parquet.Types.Int64, 0, nil)
	case formHex:
		b.leaf(f.Name, rep, parquet.Types.FixedLenByteArray, f.Width, nil)
	case formBool:
		b.leaf(f.Name, rep, parquet.Types.Boolean, 0, nil)
	case formFloat:
		b.leaf(f.Name, rep, parquet.Types.Double, 0, nil)
	case formText:
		b.leaf(f.Name, rep, parquet.Types.ByteArray, 0, text)
	case formOutside:
		b.leaf(f.Name, optional, parquet.Types.ByteArray, 0, text)
		b.leaf(f.Name+"_sha256", optional, parquet.Types.FixedLenByteArray, 32, nil)
		b.leaf(f.Name+"_bytes", optional, parquet.Types.Int64, 0, nil)
	case formList:
		typ := parquet.Types.Int64
		if f.Elem == pgtypes.Float8 {
			typ = parquet.Types.Double
		}
		b.list(f.Name, rep, typ)
	case formMap:
		for _, k := range p.frequent {
			b.leaf(f.Name+"."+k.Key, optional, k.parquet(), 0, k.logical())
		}
		b.pairs(f.Name, rep)
		b.pairs(f.Name+"_outside", optional)
	}
}

// list adds a LIST, whose elements may be NULL.
func (b *columnsBuilder) list(name string, rep parquet.Repetition, typ parquet.Type) {
	element := b.primitive("element", parquet.Repetitions.Optional, typ, 0, nil)
	list := b.node(schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, -1))
	b.nodes = append(b.nodes, b.node(schema.NewGroupNodeLogical(name, rep, schema.FieldList{list}, schema.NewListLogicalType(), -1)))
	b.leaves = append(b.leaves, leaf{path: name + ".list.element", typ: typ, def: outerLevel(rep) + 2, rep: 1})
}

// pairs adds a MAP of texts.
func (b *columnsBuilder) pairs(name string, rep parquet.Repetition) {
	key := b.primitive("key", parquet.Repetitions.Required, parquet.Types.ByteArray, 0, schema.StringLogicalType{})
	value := b.primitive("value", parquet.Repetitions.Required, parquet.Types.ByteArray, 0, schema.StringLogicalType{})
	pair := b.node(schema.NewGroupNode("key_value", parquet.Repetitions.Repeated, schema.FieldList{key, value}, -1))
	b.nodes = append(b.nodes, b.node(schema.NewGroupNodeLogical(name, rep, schema.FieldList{pair}, schema.MapLogicalType{}, -1)))
	for _, part := range []string{".key_value.key", ".key_value.value"} {
		b.leaves = append(b.leaves, leaf{path: name + part, typ: parquet.Types.ByteArray, def: outerLevel(rep) + 1, rep: 1})
	}
}

func outerLevel(rep parquet.Repetition) int {
	if rep == parquet.Repetitions.Optional {
		return 1
	}
	return 0
}
