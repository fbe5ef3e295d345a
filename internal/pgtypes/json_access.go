package pgtypes

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// The functions below read canonical jsonb text (and any other valid JSON)
// without building a tree. Values are given raw: as they stand in the document.

// JSONTypeOf gives the type of a raw value as jsonb_typeof does.
func JSONTypeOf(raw string) string {
	raw = strings.TrimLeft(raw, " \t\n\r")
	if raw == "" {
		return ""
	}
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

// jsonEnd gives the place behind the value that starts at i.
func jsonEnd(doc string, i int) int {
	switch doc[i] {
	case '"':
		for i++; i < len(doc); i++ {
			if doc[i] == '\\' {
				i++
			} else if doc[i] == '"' {
				return i + 1
			}
		}
		return len(doc)
	case '{', '[':
		depth := 0
		for i < len(doc) {
			switch doc[i] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
				if depth == 0 {
					return i + 1
				}
			case '"':
				i = jsonEnd(doc, i)
				continue
			}
			i++
		}
		return len(doc)
	default:
		for i < len(doc) && strings.IndexByte(",}] \t\n\r", doc[i]) < 0 {
			i++
		}
		return i
	}
}

func jsonSkip(doc string, i int) int {
	for i < len(doc) && strings.IndexByte(" \t\n\r", doc[i]) >= 0 {
		i++
	}
	return i
}

// JSONEach iterates over the members of an object: key text and raw value.
func JSONEach(doc string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		i := jsonSkip(doc, 0)
		if i >= len(doc) || doc[i] != '{' {
			return
		}
		i = jsonSkip(doc, i+1)
		for i < len(doc) && doc[i] == '"' {
			end := jsonEnd(doc, i)
			key, _ := JSONText(doc[i:end])
			i = jsonSkip(doc, end)
			i = jsonSkip(doc, i+1) // the colon
			if i >= len(doc) {
				return
			}
			end = jsonEnd(doc, i)
			if !yield(key, doc[i:end]) {
				return
			}
			i = jsonSkip(doc, end)
			if i >= len(doc) || doc[i] != ',' {
				return
			}
			i = jsonSkip(doc, i+1)
		}
	}
}

// JSONElements iterates over the elements of an array, raw.
func JSONElements(doc string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		i := jsonSkip(doc, 0)
		if i >= len(doc) || doc[i] != '[' {
			return
		}
		i = jsonSkip(doc, i+1)
		for n := 0; i < len(doc) && doc[i] != ']'; n++ {
			end := jsonEnd(doc, i)
			if !yield(n, doc[i:end]) {
				return
			}
			i = jsonSkip(doc, end)
			if i >= len(doc) || doc[i] != ',' {
				return
			}
			i = jsonSkip(doc, i+1)
		}
	}
}

// JSONGet gives the raw value of a key of an object.
func JSONGet(doc, key string) (raw string, ok bool) {
	for k, v := range JSONEach(doc) {
		if k == key {
			return v, true
		}
	}
	return "", false
}

// JSONIndex gives element i of an array, from the end where i is negative.
func JSONIndex(doc string, i int) (raw string, ok bool) {
	if i < 0 {
		n := 0
		for range JSONElements(doc) {
			n++
		}
		if i += n; i < 0 {
			return "", false
		}
	}
	for n, v := range JSONElements(doc) {
		if n == i {
			return v, true
		}
	}
	return "", false
}

// JSONText gives a raw value as ->> does: strings unquoted, null as NULL.
func JSONText(raw string) (text string, null bool) {
	if raw == "null" {
		return "", true
	}
	if raw == "" || raw[0] != '"' {
		return raw, false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], false
	}
	p := &jsonParser{text: raw}
	s, err := p.str()
	if err != nil {
		return raw, false
	}
	return s, false
}

// JSONObjectOf prints an object of keys and raw values; the last of duplicate
// keys counts.
func JSONObjectOf(keys, raws []string) string {
	members := make([]jsonMember, len(keys))
	for i, k := range keys {
		members[i] = jsonMember{k, []byte(raws[i])}
	}
	return string(appendMembers(nil, members))
}

// JSONArrayOf prints an array of raw values.
func JSONArrayOf(raws []string) string { return "[" + strings.Join(raws, ", ") + "]" }

// JSONContains is the operator @> over canonical documents.
func JSONContains(a, b string) bool {
	ta, tb := JSONTypeOf(a), JSONTypeOf(b)
	if ta == "array" && tb != "array" && tb != "object" {
		return jsonHasElement(a, b) // an array may contain a primitive value
	}
	return jsonContains(a, b)
}

func jsonContains(a, b string) bool {
	ta, tb := JSONTypeOf(a), JSONTypeOf(b)
	if ta != tb {
		return false
	}
	switch ta {
	case "object":
		for k, vb := range JSONEach(b) {
			va, ok := JSONGet(a, k)
			if !ok || !jsonContains(va, vb) {
				return false
			}
		}
		return true
	case "array":
		for _, vb := range JSONElements(b) {
			if !jsonHasElement(a, vb) {
				return false
			}
		}
		return true
	default:
		return CompareJSON(a, b) == 0
	}
}

func jsonHasElement(array, b string) bool {
	for _, va := range JSONElements(array) {
		if jsonContains(va, b) {
			return true
		}
	}
	return false
}

// jsonRank orders values of different types: object > array > boolean > number
// > string > null.
func jsonRank(raw string) int {
	switch JSONTypeOf(raw) {
	case "object":
		return 5
	case "array":
		return 4
	case "boolean":
		return 3
	case "number":
		return 2
	case "string":
		return 1
	default:
		return 0
	}
}

// CompareJSON is jsonb's btree order.
func CompareJSON(a, b string) int {
	if a == b {
		return 0
	}
	ra, rb := jsonRank(a), jsonRank(b)
	if ra != rb {
		// An empty top-level array sorts below everything, a quirk of PostgreSQL's.
		if a == "[]" || b == "[]" {
			return cmp.Compare(boolInt(a != "[]"), boolInt(b != "[]"))
		}
		return cmp.Compare(ra, rb)
	}
	switch ra {
	case 5:
		return compareJSONObjects(a, b)
	case 4:
		return compareJSONArrays(a, b)
	case 3:
		return cmp.Compare(boolInt(a == "true"), boolInt(b == "true"))
	case 2:
		return compareJSONNumbers(a, b)
	case 1:
		ta, _ := JSONText(a)
		tb, _ := JSONText(b)
		return strings.Compare(ta, tb)
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareJSONNumbers(a, b string) int {
	ia, err1 := strconv.ParseInt(a, 10, 64)
	ib, err2 := strconv.ParseInt(b, 10, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(ia, ib)
	}
	da, err1 := ParseNumeric(a)
	db, err2 := ParseNumeric(b)
	if err1 != nil || err2 != nil {
		return strings.Compare(a, b)
	}
	return da.Cmp(db)
}

func compareJSONArrays(a, b string) int {
	var ea, eb []string
	for _, v := range JSONElements(a) {
		ea = append(ea, v)
	}
	for _, v := range JSONElements(b) {
		eb = append(eb, v)
	}
	if c := cmp.Compare(len(ea), len(eb)); c != 0 {
		return c
	}
	return slices.CompareFunc(ea, eb, CompareJSON)
}

func compareJSONObjects(a, b string) int {
	var ka, va, kb, vb []string
	for k, v := range JSONEach(a) {
		ka, va = append(ka, k), append(va, v)
	}
	for k, v := range JSONEach(b) {
		kb, vb = append(kb, k), append(vb, v)
	}
	if c := cmp.Compare(len(ka), len(kb)); c != 0 {
		return c
	}
	for i := range ka {
		if c := strings.Compare(ka[i], kb[i]); c != 0 {
			return c
		}
		if c := CompareJSON(va[i], vb[i]); c != 0 {
			return c
		}
	}
	return 0
}
