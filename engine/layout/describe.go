package layout

import (
	"math"
	"slices"
	"strconv"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Description says what is collected of a table's blocks.
type Description struct {
	Schema  *vector.Schema
	Time    string   // Int64 field; "" for none
	Zones   []string // Int64 fields
	Key     []string // Hex fields that identify a row; nil for none
	Trace   string   // Hex field; "" for none
	Outside []string // String fields that may hold references
}

// Describe collects what a manifest entry says of a block, all but Table, ID
// and Hour, which the caller knows. It reads the encoded block, so that an
// entry is true of what is stored and can be made again. text gives what is
// meant by a text that one of the fields Outside holds.
func Describe(d Description, b *block.Block, text func(stored string) (string, error)) (*BlockMeta, error) {
	m := &BlockMeta{
		Rows: b.Rows(), Bytes: b.Bytes(),
		Zones: make(map[string]Zone), Values: make(map[string]ValueSet),
		Tokens: make(map[string]Filter), AttributeAll: make(map[string]bool),
	}
	c := describer{Description: d, block: b, meta: m, text: text}
	for _, step := range []func() error{c.bookkeeping, c.zones, c.identity, c.fields} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

type describer struct {
	Description
	block *block.Block
	meta  *BlockMeta
	text  func(stored string) (string, error)
}

func (d *describer) bookkeeping() error {
	numbers, err := d.block.RowNumbers()
	if err != nil {
		return err
	}
	lsns, err := d.block.LSNs()
	if err != nil || d.meta.Rows == 0 {
		return err
	}
	d.meta.MinRow, d.meta.MaxRow = uint64(slices.Min(numbers.Ints)), uint64(slices.Max(numbers.Ints))
	d.meta.MinLSN, d.meta.MaxLSN = uint64(slices.Min(lsns.Ints)), uint64(slices.Max(lsns.Ints))
	return nil
}

func (d *describer) zones() error {
	for _, name := range d.Zones {
		c, err := d.block.Column(d.Schema.Index(name))
		if err != nil {
			return err
		}
		d.meta.Zones[name] = zoneOf(c)
	}
	if d.Time == "" {
		return nil
	}
	c, err := d.block.Column(d.Schema.Index(d.Time))
	if err != nil {
		return err
	}
	z := zoneOf(c)
	d.meta.MinTime, d.meta.MaxTime, d.meta.Zones[d.Time] = z.Min, z.Max, z
	return nil
}

// zoneOf gives the range of a column; without values it is empty.
func zoneOf(c *vector.Column) Zone {
	z := Zone{math.MaxInt64, math.MinInt64}
	for i, v := range c.Ints {
		if !c.IsNull(i) {
			z.Min, z.Max = min(z.Min, v), max(z.Max, v)
		}
	}
	return z
}

// identity makes the filters of trace ids and keys.
func (d *describer) identity() error {
	if d.Trace != "" {
		c, err := d.block.Column(d.Schema.Index(d.Trace))
		if err != nil {
			return err
		}
		d.meta.Trace = BuildFilter(hexHashes(c), TraceFilterBits)
	}
	if len(d.Key) == 0 {
		return nil
	}
	cols := make([]*vector.Column, len(d.Key))
	for i, name := range d.Key {
		var err error
		if cols[i], err = d.block.Column(d.Schema.Index(name)); err != nil {
			return err
		}
	}
	hashes := make([]uint64, d.meta.Rows)
	var key []byte
	for i := range hashes {
		key = key[:0]
		for _, c := range cols {
			key = append(key, c.HexBytes(i)...)
		}
		hashes[i] = Hash(key)
	}
	d.meta.Keys = BuildFilter(hashes, KeyFilterBits)
	return nil
}

// hexHashes hashes the values of a Hex column; most repeat the one before.
func hexHashes(c *vector.Column) []uint64 {
	hashes := make([]uint64, 0, c.Len)
	last := ""
	for i := range c.Len {
		id := c.HexBytes(i)
		if !c.IsNull(i) && (len(hashes) == 0 || string(id) != last) {
			hashes, last = append(hashes, Hash(id)), string(id)
		}
	}
	return hashes
}

func (d *describer) fields() error {
	for i, f := range d.Schema.Fields {
		if f.Tokens {
			texts, err := d.block.Values(i, "")
			if err != nil {
				return err
			}
			if slices.Contains(d.Outside, f.Name) {
				texts = slices.Clone(texts)
				for k, stored := range texts {
					if texts[k], err = d.text(stored); err != nil {
						return err
					}
				}
			}
			d.meta.Tokens[f.Name] = tokenFilter(texts)
		}
		if !f.Filter {
			continue
		}
		if f.Kind == vector.Map {
			if err := d.attributes(i, f.Name); err != nil {
				return err
			}
			continue
		}
		values, err := d.values(i, f.Kind)
		if err != nil {
			return err
		}
		d.meta.Values[f.Name] = newValueSet(values)
	}
	return nil
}

// values gives the distinct values of a field as ValueSet has them.
func (d *describer) values(field int, kind vector.Kind) ([]string, error) {
	if kind == vector.String {
		return d.block.Values(field, "")
	}
	c, err := d.block.Column(field)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]struct{})
	var out []string
	for i := range c.Len {
		if c.IsNull(i) {
			continue
		}
		var text string
		switch kind {
		case vector.Int64:
			text = strconv.FormatInt(c.Ints[i], 10)
		case vector.Hex:
			text = string(c.HexBytes(i))
		default:
			panic("BUG: a value filter of field " + d.Schema.Fields[field].Name)
		}
		if _, known := seen[text]; !known {
			seen[text] = struct{}{}
			out = append(out, text)
		}
	}
	return out, nil
}

func tokenFilter(texts []string) Filter {
	var tokens hashSet
	for _, text := range texts {
		Words(text, func(token []byte) { tokens.add(Hash(token)) })
	}
	return BuildFilter(tokens.list, ValueFilterBits)
}

// maxAttributeSets bounds how many attributes of a block have value sets.
const maxAttributeSets = 64

// attributes makes a value set for each attribute of a Map field, as ->> gives
// its values.
func (d *describer) attributes(field int, name string) error {
	keys, err := d.block.Keys(field)
	if err != nil {
		return err
	}
	if len(keys) <= maxAttributeSets {
		d.meta.AttributeAll[name] = true
	}
	for _, key := range keys[:min(len(keys), maxAttributeSets)] {
		values, err := d.block.Values(field, key)
		if err != nil {
			return err
		}
		set := newValueSet(values)
		if slices.ContainsFunc(values, isReference) {
			set = ValueSet{} // it may hold anything
		}
		d.meta.Values[AttributeName(name, key)] = set
	}
	return nil
}
