package otlp

import (
	"math"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A promotion names the attributes that a promoted column takes its value
// from: the first that is present and not null.
type promotion struct {
	column string
	names  []string
}

// From attributes of the resource, in every signal that has the column.
var resourcePromotions = []promotion{
	{"service_namespace", []string{"service.namespace"}},
	{"service_version", []string{"service.version"}},
	{"service_instance_id", []string{"service.instance.id"}},
	{"environment", []string{"deployment.environment.name", "deployment.environment"}},
	{"host_name", []string{"host.name"}},
	{"k8s_namespace", []string{"k8s.namespace.name"}},
	{"k8s_pod", []string{"k8s.pod.name"}},
}

var spanPromotions = []promotion{
	{"http_method", []string{"http.request.method", "http.method"}},
	{"http_status_code", []string{"http.response.status_code", "http.status_code"}},
	{"http_route", []string{"http.route"}},
	{"url", []string{"url.full", "http.url", "url.path"}},
	{"server_address", []string{"server.address", "net.peer.name"}},
	{"db_system", []string{"db.system.name", "db.system"}},
	{"db_name", []string{"db.namespace", "db.name"}},
	{"db_operation", []string{"db.operation.name", "db.operation"}},
	{"db_statement", []string{"db.query.text", "db.statement"}},
	{"rpc_system", []string{"rpc.system.name", "rpc.system"}},
	{"rpc_service", []string{"rpc.service"}},
	{"rpc_method", []string{"rpc.method"}},
	{"messaging_system", []string{"messaging.system"}},
	{"messaging_destination", []string{"messaging.destination.name"}},
	{"peer_service", []string{"service.peer.name", "peer.service"}},
	{"error_type", []string{"error.type", "exception.type"}},
}

var logPromotions = []promotion{
	{"exception_type", []string{"exception.type"}},
	{"exception_message", []string{"exception.message"}},
	{"exception_stacktrace", []string{"exception.stacktrace"}},
}

// A promotedKey is the column that an attribute may fill, and its rank among
// the attributes that may.
type promotedKey struct {
	field int // -1: none
	rank  int
}

func promotedKeys(schema *vector.Schema, promotions []promotion) map[string]promotedKey {
	out := make(map[string]promotedKey)
	for _, p := range promotions {
		field := schema.Index(p.column)
		if field < 0 {
			continue
		}
		for rank, name := range p.names {
			out[name] = promotedKey{field, rank}
		}
	}
	return out
}

// scalarText gives the text of a bool, a number or null as ->> does.
func scalarText(v value) string {
	switch v.tag {
	case vector.TagBool:
		return strconv.FormatBool(v.bits != 0)
	case vector.TagInt:
		return strconv.FormatInt(int64(v.bits), 10)
	default:
		return string(vector.AppendJSONDouble(nil, math.Float64frombits(v.bits)))
	}
}

func parseInt32(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return n, err == nil
}
