package expr

import (
	_ "embed"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// keywordsList is PostgreSQL 15's pg_get_keywords(): word, class, and whether
// the word can be a label without AS.
//
//go:embed keywords.txt
var keywordsList string

// zonesList is the names of PostgreSQL 15's pg_timezone_names.
//
//go:embed zones.txt
var zonesList string

var keywordClasses = map[string]string{
	"U": "unreserved", "C": "unreserved (cannot be function or type name)",
	"T": "reserved (can be function or type name)", "R": "reserved",
}

func listKeywords(_ *Env, _ *Call, _ []any, emit func([]any) error) error {
	for line := range strings.Lines(keywordsList) {
		f := strings.Fields(line)
		label := "requires AS"
		if f[2] == "t" {
			label = "can be bare label"
		}
		if err := emit([]any{f[0], f[1], f[2] == "t", keywordClasses[f[1]], label}); err != nil {
			return err
		}
	}
	return nil
}

// ListZones gives the time zones that can be set, as they are at a moment.
func ListZones(at time.Time, emit func(row []any) error) error {
	for name := range strings.FieldsSeq(zonesList) {
		loc, ok := pgtypes.LoadZone(name)
		if !ok {
			continue
		}
		local := at.In(loc)
		abbreviation, seconds := local.Zone()
		offset := pgtypes.Interval{Micros: int64(seconds) * 1_000_000}
		if err := emit([]any{name, abbreviation, offset, local.IsDST()}); err != nil {
			return err
		}
	}
	return nil
}

// listOptions takes the settings of an object, name=value each, apart.
func listOptions(_ *Env, _ *Call, args []any, emit func([]any) error) error {
	list, _ := args[0].(*pgtypes.Array)
	if list == nil {
		return nil
	}
	for _, option := range list.Elems {
		text, _ := option.(string)
		name, value, found := strings.Cut(text, "=")
		row := []any{name, nil}
		if found {
			row[1] = value
		}
		if err := emit(row); err != nil {
			return err
		}
	}
	return nil
}

// expandArray numbers the elements of an array from 1.
func expandArray(_ *Env, _ *Call, args []any, emit func([]any) error) error {
	list, _ := args[0].(*pgtypes.Array)
	if list == nil {
		return nil
	}
	for i, v := range list.Elems {
		if err := emit([]any{v, int64(i + 1)}); err != nil {
			return err
		}
	}
	return nil
}

// listFunctions gives the set-returning functions of the system's lists; no
// table has partitions, and nothing is listened to.
func listFunctions() map[string]impl {
	nothing := set(func(*Env, *Call, []any, func([]any) error) error { return nil })
	return map[string]impl{
		"pg_get_keywords()": set(listKeywords),
		"pg_timezone_names()": set(func(env *Env, _ *Call, _ []any, emit func([]any) error) error {
			return ListZones(time.UnixMicro(env.Statement+pgtypes.EpochUnixMicros), emit)
		}),
		"pg_options_to_table(_text)":       set(listOptions),
		"_pg_expandarray(anyarray)":        set(expandArray),
		"pg_partition_tree(regclass)":      nothing,
		"pg_partition_ancestors(regclass)": nothing,
		"pg_listening_channels()":          nothing,
	}
}
