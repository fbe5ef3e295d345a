package session

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// ServerVersion is the version of PostgreSQL whose behaviour clients see.
const (
	ServerVersion       = "15.13"
	serverVersionNumber = "150013"
)

// reported are the settings that PostgreSQL 15 reports to clients.
var reported = []string{
	"application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby",
	"integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding", "server_version",
	"session_authorization", "standard_conforming_strings", "TimeZone",
}

// defaults are the settings that exist, by lower-case name. Those marked fixed
// cannot be set.
var defaults = map[string]struct {
	value string
	fixed bool
}{
	"application_name": {}, "client_encoding": {value: "UTF8"}, "datestyle": {value: "ISO, MDY"},
	"default_transaction_read_only": {value: "off"}, "in_hot_standby": {"off", true},
	"integer_datetimes": {"on", true}, "intervalstyle": {value: "postgres"}, "is_superuser": {"on", true},
	"server_encoding": {"UTF8", true}, "server_version": {ServerVersion, true},
	"server_version_num": {serverVersionNumber, true}, "session_authorization": {value: "tael"},
	"standard_conforming_strings": {value: "on"}, "timezone": {value: "UTC"},
	"search_path": {value: `"$user", public`}, "extra_float_digits": {value: "1"},
	"client_min_messages": {value: "notice"}, "statement_timeout": {value: "0"}, "lock_timeout": {value: "0"},
	"idle_in_transaction_session_timeout": {value: "0"}, "idle_session_timeout": {value: "0"},
	"transaction_isolation": {value: "read committed"}, "default_transaction_isolation": {value: "read committed"},
	"transaction_read_only": {value: "off"}, "transaction_deferrable": {value: "off"},
	"default_transaction_deferrable": {value: "off"}, "bytea_output": {value: "hex"},
	"max_index_keys": {"32", true}, "row_security": {value: "on"}, "synchronize_seqscans": {value: "on"},
	"geqo": {value: "on"}, "jit": {value: "off"}, "enable_seqscan": {value: "on"}, "enable_hashjoin": {value: "on"},
	"enable_mergejoin": {value: "on"}, "enable_nestloop": {value: "on"}, "enable_indexscan": {value: "on"},
	"enable_sort": {value: "on"}, "enable_hashagg": {value: "on"}, "enable_material": {value: "on"},
	"max_identifier_length": {"63", true}, "block_size": {"8192", true}, "lc_collate": {"C.UTF-8", true},
	"lc_ctype": {"C.UTF-8", true}, "lc_messages": {value: "C.UTF-8"}, "lc_monetary": {value: "C.UTF-8"},
	"lc_numeric": {value: "C.UTF-8"}, "lc_time": {value: "C.UTF-8"}, "quote_all_identifiers": {value: "off"},
	"xmloption": {value: "content"}, "default_tablespace": {}, "default_table_access_method": {value: "heap"},
	"check_function_bodies": {value: "on"}, "escape_string_warning": {value: "on"}, "work_mem": {value: "4096"},
	"max_connections": {"100", true}, "role": {value: "none"}, "tael.skip_corrupt": {value: "off"},
}

// settings is a session's values. Those of SET LOCAL end with the transaction.
type settings struct {
	values   map[string]string // by lower-case name, where they differ from the default
	startup  map[string]string // what RESET goes back to
	local    map[string]string
	catalog  expr.Catalog
	cached   *pgtypes.TextStyle
	pathList []string
}

func newSettings(cat expr.Catalog) *settings {
	return &settings{catalog: cat, values: map[string]string{}, startup: map[string]string{}, local: map[string]string{}}
}

func (s *settings) lookup(name string) (string, bool) {
	name = strings.ToLower(name)
	if v, ok := s.local[name]; ok {
		return v, true
	}
	if v, ok := s.values[name]; ok {
		return v, true
	}
	if strings.HasPrefix(name, "transaction_") {
		name = "default_" + name
		if v, ok := s.values[name]; ok {
			return v, true
		}
	}
	d, ok := defaults[name]
	return d.value, ok
}

func (s *settings) get(name string) string {
	v, _ := s.lookup(name)
	return v
}

// set checks and stores a value.
func (s *settings) set(name, value string, local, startup bool) error {
	name = strings.ToLower(name)
	d, known := defaults[name]
	switch {
	case !known && !strings.Contains(name, "."):
		return pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	case d.fixed:
		return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "parameter \"%s\" cannot be changed", name)
	}
	value, err := check(name, value, s.get(name))
	if err != nil {
		return err
	}
	switch user := s.startup["session_authorization"]; {
	case name == "session_authorization" && user != "" && value != user:
		return pgerr.New(pgerr.InsufficientPrivilege, "permission denied to set session authorization \"%s\"", value)
	case name == "role" && value != "none" && value != user:
		return pgerr.New(pgerr.InsufficientPrivilege, "permission denied to set role \"%s\"", value)
	}
	if local {
		s.local[name] = value
	} else {
		delete(s.local, name)
		s.values[name] = value
	}
	if startup {
		s.startup[name] = value
	}
	s.cached, s.pathList = nil, nil
	return nil
}

// know stores what the session itself decides.
func (s *settings) know(name, value string) { s.values[name], s.startup[name] = value, value }

func invalid(name, value string) *pgerr.Error {
	return pgerr.New(pgerr.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", name, value)
}

// check gives a value in its canonical form.
func check(name, value, before string) (string, error) {
	lower := strings.ToLower(strings.TrimSpace(value))
	switch name {
	case "timezone":
		loc, ok := pgtypes.LoadZone(value)
		if !ok {
			return "", invalid("TimeZone", value)
		}
		if loc.String() == "UTC" {
			return value, nil
		}
		return loc.String(), nil
	case "client_encoding":
		// Names of encodings are compared by their letters and digits alone:
		// asyncpg sends 'utf-8' with the quotes.
		n := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, lower)
		if n != "utf8" && n != "unicode" {
			if expr.EncodingNumber(value) < 0 {
				return "", invalid(name, value)
			}
			return "", pgerr.New(pgerr.FeatureNotSupported, "client_encoding \"%s\" is not supported: UTF8 is", value)
		}
		return "UTF8", nil
	case "datestyle":
		return dateStyle(value, before)
	case "standard_conforming_strings":
		if on, ok := boolean(lower); !ok || !on {
			return "", pgerr.New(pgerr.FeatureNotSupported, "standard_conforming_strings cannot be switched off")
		}
		return "on", nil
	}
	if d := defaults[name].value; d == "on" || d == "off" {
		on, ok := boolean(lower)
		if !ok {
			return "", pgerr.New(pgerr.InvalidParameterValue, "parameter \"%s\" requires a Boolean value", name)
		}
		return map[bool]string{true: "on", false: "off"}[on], nil
	}
	switch d := details()[name]; d.Type {
	case "enum":
		if lower == "debug" { // its other name
			lower = "debug2"
		}
		if !slices.Contains(d.Values, lower) {
			return "", invalid(d.Name, value).WithHint("Available values: %s.", strings.Join(d.Values, ", "))
		}
		return lower, nil
	case "integer":
		return number(d, value)
	}
	return value, nil
}

func boolean(s string) (on, ok bool) {
	switch s {
	case "on", "true", "yes", "1", "t", "y":
		return true, true
	case "off", "false", "no", "0", "f", "n":
		return false, true
	}
	return false, false
}

// dateStyle merges the words of a SET with the style before.
func dateStyle(value, before string) (string, error) {
	style, order, _ := strings.Cut(before, ", ")
	for _, w := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
		switch strings.ToUpper(w) {
		case "ISO":
			style = "ISO"
		case "SQL":
			style = "SQL"
		case "POSTGRES":
			style = "Postgres"
		case "GERMAN":
			style = "German"
		case "MDY", "US", "NONEURO", "NONEUROPEAN":
			order = "MDY"
		case "DMY", "EURO", "EUROPEAN":
			order = "DMY"
		case "YMD":
			order = "YMD"
		case "DEFAULT":
			style, order = "ISO", "MDY"
		default:
			return "", pgerr.New(pgerr.InvalidParameterValue, "invalid value for parameter \"DateStyle\": \"%s\"", value).
				WithDetail("Unrecognized key word: \"%s\".", strings.ToLower(w))
		}
	}
	return style + ", " + order, nil
}

// reset goes back to the value that the connection started with.
func (s *settings) reset(name string) error {
	name = strings.ToLower(name)
	if name == "all" {
		s.values, s.local = maps.Clone(s.startup), map[string]string{}
		s.cached, s.pathList = nil, nil
		return nil
	}
	if _, ok := s.lookup(name); !ok {
		return pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	}
	delete(s.values, name)
	delete(s.local, name)
	if v, ok := s.startup[name]; ok {
		s.values[name] = v
	}
	s.cached, s.pathList = nil, nil
	return nil
}

// resetValue is what RESET would set.
func (s *settings) resetValue(name string) string {
	if v, ok := s.startup[name]; ok {
		return v
	}
	return defaults[name].value
}

// A settingsMark is the values at one moment.
type settingsMark struct{ values, local map[string]string }

func (s *settings) mark() settingsMark {
	return settingsMark{maps.Clone(s.values), maps.Clone(s.local)}
}

// rollbackTo brings the values of a mark back.
func (s *settings) rollbackTo(m settingsMark) {
	s.values, s.local = maps.Clone(m.values), maps.Clone(m.local)
	s.cached, s.pathList = nil, nil
}

// endTransaction forgets what was set for the transaction alone.
func (s *settings) endTransaction() {
	if len(s.local) > 0 {
		clear(s.local)
		s.cached, s.pathList = nil, nil
	}
	for _, name := range []string{"transaction_isolation", "transaction_read_only", "transaction_deferrable"} {
		delete(s.values, name)
	}
}

// style gives how values are printed and read.
func (s *settings) style() *pgtypes.TextStyle {
	if s.cached != nil {
		return s.cached
	}
	st := &pgtypes.TextStyle{IntervalStyle: s.get("intervalstyle"), ByteaEscape: s.get("bytea_output") == "escape"}
	st.DateStyle, st.DateOrder, _ = strings.Cut(s.get("datestyle"), ", ")
	st.Location, _ = pgtypes.LoadZone(s.get("timezone"))
	if n, err := strconv.Atoi(s.get("extra_float_digits")); err == nil {
		st.Digits = &n
	}
	st.RegName = func(kind, object pgtypes.OID) string { return expr.RegName(s.catalog, s.path(), kind, object) }
	s.cached = st
	return st
}

// path gives the schemas of search_path that exist for this user.
func (s *settings) path() []string {
	if s.pathList != nil {
		return s.pathList
	}
	list := []string{}
	for _, w := range strings.Split(s.get("search_path"), ",") {
		w = strings.Trim(strings.TrimSpace(w), `"`)
		if w != "" && w != "$user" {
			list = append(list, w)
		}
	}
	s.pathList = list
	return list
}
