package cold

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A frequentKey is an attribute that has a column of its own. In the metadata
// tael-sql.frequent is a JSON object: for each Map field a list of these in the
// order of their columns.
type frequentKey struct {
	Key  string     `json:"key"`
	Tag  vector.Tag `json:"tag"`
	Else []int      `json:"else,omitempty"` // row groups in which rows have it in the map: it has another type there
}

const (
	// maxFrequent is the most attributes that get columns.
	maxFrequent = 64
	// frequentShare is the share of rows, 1/frequentShare, that a frequent
	// attribute has.
	frequentShare = 50
)

func (k frequentKey) parquet() parquet.Type {
	switch k.Tag {
	case vector.TagBool:
		return parquet.Types.Boolean
	case vector.TagInt:
		return parquet.Types.Int64
	case vector.TagDouble:
		return parquet.Types.Double
	}
	return parquet.Types.ByteArray
}

func (k frequentKey) logical() schema.LogicalType {
	if k.Tag == vector.TagString {
		return schema.StringLogicalType{}
	}
	return nil
}

// frequentKeys chooses the attributes of a run of rows that get columns: those
// of one type that many rows have.
func frequentKeys(c *vector.Column) []frequentKey {
	a := c.Attrs
	counts, tags := make([]int, len(a.KeyDict)), make([]vector.Tag, len(a.KeyDict))
	for e, key := range a.Keys {
		tag := a.Tags[e]
		if counts[key]++; counts[key] > 1 && tags[key] != tag {
			tag = vector.TagJSON // several: it gets no column
		}
		tags[key] = tag
	}
	var chosen []int
	for key, n := range counts {
		switch tags[key] {
		case vector.TagString, vector.TagBool, vector.TagInt, vector.TagDouble:
			if name := a.KeyDict[key]; n*frequentShare >= c.Len && n > 0 && columnName(name) {
				chosen = append(chosen, key)
			}
		}
	}
	slices.SortFunc(chosen, func(x, y int) int {
		return cmp.Or(counts[y]-counts[x], compareKeys(a.KeyDict[x], a.KeyDict[y]))
	})
	var out []frequentKey
	folded := make(map[string]bool) // some readers do not tell the cases of column names apart
	for _, key := range chosen {
		name := a.KeyDict[key]
		if lower := strings.ToLower(name); !folded[lower] && len(out) < maxFrequent {
			folded[lower] = true
			out = append(out, frequentKey{Key: name, Tag: tags[key]})
		}
	}
	slices.SortFunc(out, func(x, y frequentKey) int { return compareKeys(x.Key, y.Key) })
	return out
}

// columnName reports whether a key can name a column. Two would have the path
// of the columns within the map.
func columnName(key string) bool {
	return key != "" && utf8.ValidString(key) && key != "key_value.key" && key != "key_value.value"
}

// compareKeys orders keys as jsonb does.
func compareKeys(x, y string) int { return cmp.Or(len(x)-len(y), strings.Compare(x, y)) }

func appendFrequent(frequent map[string][]frequentKey) (string, error) {
	text, err := json.Marshal(frequent)
	return string(text), err
}

func parseFrequent(text string) (map[string][]frequentKey, error) {
	var out map[string][]frequentKey
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, corrupt("frequent keys: %v", err)
	}
	return out, nil
}
