package expr

import (
	"maps"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// jsonPathFunctions are the SQL/JSON path functions. Those with _tz differ from
// the others only for dates, which paths here do not have.
func jsonPathFunctions() map[string]impl {
	m := map[string]impl{
		"jsonb @? jsonpath": raw(func(env *Env, _ *Call, args []any) (any, error) {
			return pathExists(newPathRun(env, append(args, "{}", true)))
		}),
		"jsonb @@ jsonpath": raw(func(env *Env, _ *Call, args []any) (any, error) {
			return pathMatch(newPathRun(env, append(args, "{}", true)))
		}),
	}
	scalar := func(f func(r *pathRun, path *pgtypes.JSONPath, silent bool, err error) (any, error)) impl {
		return raw(func(env *Env, _ *Call, args []any) (any, error) { return f(newPathRun(env, args)) })
	}
	for _, tz := range []string{"", "_tz"} {
		const arguments = "(jsonb,jsonpath,jsonb,bool)"
		maps.Copy(m, map[string]impl{
			"jsonb_path_exists" + tz + arguments:      scalar(pathExists),
			"jsonb_path_match" + tz + arguments:       scalar(pathMatch),
			"jsonb_path_query_first" + tz + arguments: scalar(pathFirst),
			"jsonb_path_query_array" + tz + arguments: scalar(func(r *pathRun, path *pgtypes.JSONPath, silent bool, err error) (any, error) {
				list, err := r.all(path, silent, err)
				if err != nil {
					return nil, err
				}
				return pgtypes.JSONArrayOf(list), nil
			}),
			"jsonb_path_query" + tz + arguments: set(func(env *Env, _ *Call, args []any, emit func([]any) error) error {
				r, path, silent, err := newPathRun(env, args)
				list, err := r.all(path, silent, err)
				for _, v := range list {
					if err == nil {
						err = emit([]any{v})
					}
				}
				return err
			}),
		})
	}
	return m
}

// newPathRun takes the arguments of a path function: the document, the path,
// and if they are given the variables, and whether errors are silent.
func newPathRun(env *Env, args []any) (r *pathRun, path *pgtypes.JSONPath, silent bool, err error) {
	path = args[1].(*pgtypes.JSONPath)
	r = &pathRun{ctx: env.Ctx, root: args[0].(string), vars: "{}", strict: path.Strict, lax: !path.Strict, size: -1}
	if len(args) > 2 {
		if r.vars = args[2].(string); pgtypes.JSONTypeOf(r.vars) != "object" {
			err = pgerr.New(pgerr.InvalidParameterValue, "\"vars\" argument is not an object").
				WithDetail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
		}
	}
	if len(args) > 3 {
		silent = args[3].(bool)
	}
	return r, path, silent, err
}

func pathExists(r *pathRun, path *pgtypes.JSONPath, silent bool, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	_, ok, err := r.first(path)
	return quiet(ok, silent, err)
}

// quiet gives NULL for an error that is to be silent.
func quiet(v any, silent bool, err error) (any, error) {
	if err != nil {
		if v = nil; silent && suppressible(err) {
			err = nil
		}
	}
	return v, err
}

func pathMatch(r *pathRun, path *pgtypes.JSONPath, silent bool, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	list, err := r.query(path)
	if err == nil {
		if len(list) == 1 {
			switch list[0] {
			case "true", "false":
				return list[0] == "true", nil
			case "null":
				return nil, nil
			}
		}
		err = pathFail(pgerr.SingletonSQLJSONItemRequired, "single boolean result is expected")
	}
	return quiet(nil, silent, err)
}

func pathFirst(r *pathRun, path *pgtypes.JSONPath, silent bool, err error) (any, error) {
	list, err := r.all(path, silent, err)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// all gives every result; if errors are silent, those before the error.
func (r *pathRun) all(path *pgtypes.JSONPath, silent bool, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	list, err := r.query(path)
	if silent && suppressible(err) {
		err = nil
	}
	return list, err
}
