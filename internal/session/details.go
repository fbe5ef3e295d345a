package session

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/catalog"
)

// detailsText is what PostgreSQL 15's pg_settings says of the settings that
// exist: name, unit, category, context, type, least, greatest, values that an
// enum takes, description, separated by tabs. TestDetails rewrites it.
//
//go:embed settings.txt
var detailsText string

// ownText is the settings that PostgreSQL does not have, in the same form.
//
//go:embed own_settings.txt
var ownText string

// effective are the settings that change what statements do.
var effective = []string{
	"application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle", "default_transaction_isolation",
	"default_transaction_read_only", "extra_float_digits", "intervalstyle", "lock_timeout", "search_path", "statement_timeout",
	"timezone", "transaction_isolation", "transaction_read_only", "tael.skip_corrupt",
}

// details gives the lines of detailsText by lower-case name. A setting without
// one is left out of SHOW ALL and pg_settings, as in PostgreSQL.
var details = sync.OnceValue(func() map[string]catalog.Setting {
	m := make(map[string]catalog.Setting)
	for line := range strings.Lines(detailsText + ownText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		d := catalog.Setting{
			Name: f[0], Unit: f[1], Category: f[2], Context: f[3], Type: f[4], Least: f[5], Greatest: f[6], Description: f[8],
		}
		if f[7] != "" {
			d.Values = strings.Split(f[7], ",")
		}
		d.Boot = defaults[strings.ToLower(d.Name)].value
		if defaults[strings.ToLower(d.Name)].fixed {
			d.Context = "internal"
		}
		d.Inert = !slices.Contains(effective, strings.ToLower(d.Name))
		m[strings.ToLower(d.Name)] = d
	}
	return m
})

// Settings lists what can be set or shown, by name.
func Settings() []catalog.Setting {
	var list []catalog.Setting
	for _, name := range slices.Sorted(maps.Keys(details())) {
		list = append(list, details()[name])
	}
	return list
}

// Settings lists the settings with their values in this session.
func (s *Session) Settings() []catalog.Setting {
	list := Settings()
	for i := range list {
		list[i].Value = s.settings.get(list[i].Name)
		list[i].Reset = s.settings.resetValue(strings.ToLower(list[i].Name))
	}
	return list
}
