package pgtypes

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// An Info describes a type as its row in pg_type does.
type Info struct {
	OID       OID
	Name      string // internal name: int4
	SQLName   string // as format_type prints it: integer
	Len       int16  // bytes; -1 for a varying length, -2 for a C string
	ByVal     bool
	Category  byte
	Preferred bool
	Kind      byte // typtype: b base, p pseudo, r range, m multirange
	Delim     byte
	Elem      OID // of an array or vector
	Array     OID
	Input     string
	Output    string
	Receive   string
	Send      string
	Align     byte
	Storage   byte
	Collation OID
}

// typesText is the rows of PostgreSQL 15's pg_type, one a line, in the order of
// Info's fields with SQLName last and its spaces as underscores.
//
//go:embed types.txt
var typesText string

type typeTable struct {
	list  []*Info
	byOID map[OID]*Info
	names map[string]OID
}

var types = sync.OnceValue(func() *typeTable {
	t := &typeTable{byOID: make(map[OID]*Info), names: make(map[string]OID)}
	for line := range strings.Lines(typesText) {
		f := strings.Fields(line)
		number := func(i int) int64 {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				panic("BUG: types.txt: " + err.Error())
			}
			return n
		}
		name := func(i int) string { return strings.Trim(f[i], "-") }
		info := &Info{
			OID: OID(number(0)), Name: f[1], Len: int16(number(2)), ByVal: f[3] == "1",
			Category: f[4][0], Preferred: f[5] == "1", Kind: f[6][0], Delim: f[7][0],
			Elem: OID(number(8)), Array: OID(number(9)), Input: name(10), Output: name(11),
			Receive: name(12), Send: name(13), Align: f[14][0], Storage: f[15][0],
			Collation: OID(number(16)), SQLName: strings.ReplaceAll(f[17], "_", " "),
		}
		if strings.HasPrefix(info.Name, "pg_") || info.Kind == 'p' {
			info.SQLName = info.Name
		}
		if info.OID == RecordArray { // the one pseudo-type that is an array
			info.SQLName = "record[]"
		}
		t.list = append(t.list, info)
		t.byOID[info.OID] = info
		t.names[info.Name] = info.OID
		t.names[info.SQLName] = info.OID
	}
	for alias, o := range map[string]OID{
		"int": Int4, "float": Float8, "decimal": Numeric, "dec": Numeric, "char": Bpchar, "character": Bpchar,
		"timestamp": Timestamp, "timestamptz": Timestamptz, "time": Time, "timetz": Timetz, "boolean": Bool,
		`"char"`: Char, "bit varying": Varbit,
	} {
		t.names[alias] = o
	}
	return t
})

// Lookup gives what is known of a type, or nil.
func Lookup(oid OID) *Info { return types().byOID[oid] }

// All lists the types by OID.
func All() []*Info { return types().list }

// ByInternalName finds a type by its name in pg_type: "char" is the one-byte type.
func ByInternalName(name string) (OID, bool) {
	for _, t := range types().list {
		if t.Name == name {
			return t.OID, true
		}
	}
	return 0, false
}

// ByName finds a type by its SQL or internal name, with [] for arrays.
func ByName(name string) (OID, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if base, ok := strings.CutSuffix(name, "[]"); ok {
		o, ok := ByName(base)
		if !ok {
			return 0, false
		}
		a := ArrayOf(o)
		return a, a != 0
	}
	if base, _, ok := strings.Cut(name, "("); ok { // varchar(10)
		name = strings.TrimSpace(base)
	}
	o, ok := types().names[name]
	return o, ok
}

// ArrayOf gives the array type over an element type, 0 if there is none.
func ArrayOf(elem OID) OID {
	if t := Lookup(elem); t != nil {
		return t.Array
	}
	return 0
}

// ElemOf gives the element type of an array or vector, 0 for other types.
func ElemOf(array OID) OID {
	if t := Lookup(array); t != nil && (IsArray(array) || array == Int2Vector || array == OidVector) {
		return t.Elem
	}
	return 0
}

// IsArray reports whether oid is a true array type (not a vector or a name).
func IsArray(oid OID) bool {
	t := Lookup(oid)
	return t != nil && (t.Category == 'A' || oid == RecordArray) && t.Elem != 0 && t.Name[0] == '_'
}

// FormatType prints a type as format_type does.
func FormatType(t Type) string {
	info := Lookup(t.OID)
	if info == nil {
		return "???"
	}
	if IsArray(t.OID) {
		return FormatType(Type{OID: info.Elem, Mod: t.Mod}) + "[]"
	}
	if t.Mod < 0 {
		if t.OID == Bpchar {
			return "character"
		}
		return info.SQLName
	}
	switch t.OID {
	case Varchar, Bpchar:
		return fmt.Sprintf("%s(%d)", info.SQLName, t.Mod-4)
	case Numeric:
		return fmt.Sprintf("numeric(%d,%d)", (t.Mod-4)>>16, int16((t.Mod-4)&0x7ff)<<5>>5)
	case Timestamp, Timestamptz, Time, Timetz:
		base, zone, _ := strings.Cut(info.SQLName, " ")
		return fmt.Sprintf("%s(%d) %s", base, t.Mod, zone)
	case IntervalOID:
		if p := t.Mod & 0xffff; p != 0xffff {
			return fmt.Sprintf("interval(%d)", p)
		}
		return "interval"
	case Bit, Varbit:
		return fmt.Sprintf("%s(%d)", info.SQLName, t.Mod)
	}
	return info.SQLName
}

// A Context says where a cast may be applied.
type Context byte

// The contexts of pg_cast, from the most to the least liberal.
const (
	Implicit   Context = 'i'
	Assignment Context = 'a'
	Explicit   Context = 'e'
)

// castsText is PostgreSQL 15's pg_cast: source, target, context.
//
//go:embed casts.txt
var castsText string

var casts = sync.OnceValue(func() map[[2]OID]Context {
	m := make(map[[2]OID]Context)
	for line := range strings.Lines(castsText) {
		f := strings.Fields(line)
		from, err1 := strconv.ParseUint(f[0], 10, 32)
		to, err2 := strconv.ParseUint(f[1], 10, 32)
		if err1 != nil || err2 != nil {
			panic("BUG: casts.txt: " + line)
		}
		m[[2]OID{OID(from), OID(to)}] = Context(f[2][0])
	}
	return m
})

// CastContext gives the most liberal context in which a cast is applied; false
// if there is none. Beyond pg_cast, every type casts to text-like types on
// assignment and from them explicitly, through its text form.
func CastContext(from, to OID) (Context, bool) {
	if from == to || from == Unknown {
		return Implicit, true
	}
	if c, ok := casts()[[2]OID{from, to}]; ok {
		return c, true
	}
	if IsArray(from) && IsArray(to) {
		return CastContext(ElemOf(from), ElemOf(to))
	}
	if isStringCategory(to) && to != Char {
		return Assignment, true
	}
	if isStringCategory(from) && from != Char {
		return Explicit, true
	}
	if from == RecordOID && to == RecordOID {
		return Implicit, true
	}
	return 0, false
}

func isStringCategory(oid OID) bool {
	t := Lookup(oid)
	return t != nil && t.Category == 'S'
}
