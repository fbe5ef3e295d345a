package expr

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/google/uuid"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// versionText is what version() says: PostgreSQL's text first, since clients
// parse it.
const versionText = "PostgreSQL 15.13 on x86_64-pc-linux-gnu, compiled by tael-sql, 64-bit"

func setting(env *Env, name string, missingOK bool) (any, error) {
	if env.Session != nil {
		if v, ok := env.Session.Setting(name); ok {
			return v, nil
		}
	}
	if missingOK {
		return nil, nil
	}
	return nil, pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

func nameArray(names ...string) *pgtypes.Array {
	elems := make([]any, len(names))
	for i, n := range names {
		elems[i] = n
	}
	return pgtypes.NewArray(pgtypes.Name, elems)
}

// always answers with a constant, whatever the arguments are.
func always(v any) impl {
	return raw(func(*Env, *Call, []any) (any, error) { return v, nil })
}

func formatTypeOf(_ *Env, _ *Call, args []any) (any, error) {
	oid, ok := args[0].(int64)
	if !ok {
		return nil, nil
	}
	mod := int64(-1)
	if m, ok := args[1].(int64); ok {
		mod = m
	}
	if oid == 0 {
		return "-", nil
	}
	return pgtypes.FormatType(pgtypes.Type{OID: pgtypes.OID(oid), Mod: int32(mod)}), nil
}

// sizeUnits are the units of pg_size_pretty, each 1024 of the one before.
var sizeUnits = []string{"bytes", "kB", "MB", "GB", "TB", "PB"}

// sizePretty prints a size in the unit in which it stays below 10240, rounded
// half away from zero.
func sizePretty(n int64) string {
	if n < 10*1024 && n > -10*1024 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	n >>= 9 // one bit more than the unit, to round by
	u := 1
	for ; u < len(sizeUnits)-1 && (n >= 20*1024-1 || n <= -(20*1024-1)); u++ {
		n /= 1024
	}
	if n < 0 {
		return strconv.FormatInt((n-1)/2, 10) + " " + sizeUnits[u]
	}
	return strconv.FormatInt((n+1)/2, 10) + " " + sizeUnits[u]
}

// sizePrettyNumeric prints the fraction of a small size, too.
func sizePrettyNumeric(env *Env, _ *Call, args []any) (any, error) {
	d := args[0].(*apd.Decimal)
	if d.Form != apd.Finite {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "bigint out of range")
	}
	f, err := d.Float64()
	if err != nil || f > math.MaxInt64 || f < math.MinInt64 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "bigint out of range")
	}
	if f < 10*1024 && f > -10*1024 {
		text, err := outputText(env, pgtypes.Of(pgtypes.Numeric), d)
		return text + " bytes", err
	}
	return sizePretty(int64(f)), nil
}

var sizePattern = regexp.MustCompile(`^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)\s*$`)

// sizeBytes reads what pg_size_pretty prints.
func sizeBytes(text string) (any, error) {
	invalid := pgerr.New(pgerr.InvalidParameterValue, "invalid size: \"%s\"", text)
	m := sizePattern.FindStringSubmatch(text)
	if m == nil {
		return nil, invalid
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return nil, invalid
	}
	for i, unit := range []string{"bytes", "kb", "mb", "gb", "tb", "pb"} {
		if u := strings.ToLower(m[2]); u == unit || i == 0 && (u == "" || u == "b") {
			return int64(math.Round(n * float64(int64(1)<<(10*i)))), nil
		}
	}
	return nil, invalid.WithDetail("Invalid size unit: \"%s\".", m[2]).
		WithHint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
}

// sleep waits in the statement's context.
func sleep(env *Env, _ *Call, args []any) (any, error) {
	t := time.NewTimer(time.Duration(args[0].(float64) * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return "", nil
	case <-env.Ctx.Done():
		return nil, env.Ctx.Err()
	}
}

func systemFunctions() map[string]impl {
	return map[string]impl{
		"version()":          always(versionText),
		"current_database()": withEnv(func(env *Env) (any, error) { return env.Database, nil }),
		"current_schema()": withEnv(func(env *Env) (any, error) {
			if len(env.SearchPath) == 0 {
				return nil, nil
			}
			return env.SearchPath[0], nil
		}),
		"current_schemas(bool)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			path := env.SearchPath
			if args[0].(bool) {
				path = append([]string{"pg_catalog"}, path...)
			}
			return nameArray(path...), nil
		}),
		"current_user()":  withEnv(func(env *Env) (any, error) { return env.User, nil }),
		"session_user()":  withEnv(func(env *Env) (any, error) { return env.User, nil }),
		"getpgusername()": withEnv(func(env *Env) (any, error) { return env.User, nil }),
		"pg_backend_pid()": withEnv(func(env *Env) (any, error) {
			if env.Session == nil {
				return int64(0), nil
			}
			return env.Session.BackendPID(), nil
		}),
		"pg_cancel_backend(int4)":         raw(func(env *Env, _ *Call, args []any) (any, error) { return signal(env, args[0].(int64), false) }),
		"pg_terminate_backend(int4,int8)": raw(func(env *Env, _ *Call, args []any) (any, error) { return signal(env, args[0].(int64), true) }),
		"current_setting(text)":           raw(func(env *Env, _ *Call, args []any) (any, error) { return setting(env, args[0].(string), false) }),
		"current_setting(text,bool)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			return setting(env, args[0].(string), args[1].(bool))
		}),
		"set_config(text,text,bool)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			name, ok := args[0].(string)
			value, _ := args[1].(string)
			local, _ := args[2].(bool)
			if !ok || env.Session == nil {
				return nil, pgerr.New(pgerr.InvalidParameterValue, "SET requires parameter name")
			}
			return value, env.Session.SetSetting(name, value, local)
		}),
		"pg_typeof(any)":               raw(func(_ *Env, call *Call, _ []any) (any, error) { return int64(call.Args[0].Type().OID), nil }),
		"format_type(oid,int4)":        raw(formatTypeOf),
		"pg_is_in_recovery()":          always(false),
		"pg_sleep(float8)":             raw(sleep),
		"pg_encoding_to_char(int4)":    pure1(encodingName),
		"pg_char_to_encoding(name)":    pure1(EncodingNumber),
		"pg_encoding_max_length(int4)": raw(encodingWidth),
		"getdatabaseencoding()":        always("UTF8"),
		"pg_client_encoding()":         always("UTF8"),
		"pg_jit_available()":           always(false),
		"pg_trigger_depth()":           always(int64(0)),
		"pg_my_temp_schema()":          always(int64(0)),
		"pg_conf_load_time()":          withEnv(func(*Env) (any, error) { return startTime, nil }),
		"row_security_active(oid)":     always(false),
		"row_security_active(text)":    always(false),
		"pg_size_bytes(text)":          fn1(sizeBytes),
		"pg_size_pretty(numeric)":      raw(sizePrettyNumeric),
		"pg_size_pretty(int8)":         pure1(sizePretty),
		"gen_random_uuid()":            withEnv(func(*Env) (any, error) { return pgtypes.UUID(uuid.New()), nil }),
		"txid_current()":               always(int64(1)),
		"pg_advisory_unlock_all()":     always(""),
		"pg_postmaster_start_time()":   withEnv(func(*Env) (any, error) { return startTime, nil }),
		"inet_server_port()":           always(nil),
	}
}

// startTime is when this process began.
var startTime = Micros(time.Now())

// signal cancels what another session runs, or ends it.
func signal(env *Env, pid int64, terminate bool) (any, error) {
	if env.Session == nil {
		return false, nil
	}
	ok, err := env.Session.Signal(pid, terminate)
	if err == nil && !ok && env.Warn != nil {
		env.Warn(pgerr.SuccessfulCompletion, "PID "+strconv.FormatInt(pid, 10)+" is not a PostgreSQL server process")
	}
	return ok, err
}
