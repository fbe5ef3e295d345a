package files

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A request is an export request of pdata, which reads and writes OTLP's own
// JSON.
type request interface {
	UnmarshalJSON(data []byte) error
	MarshalJSON() ([]byte, error)
	UnmarshalProto(data []byte) error
	MarshalProto() ([]byte, error)
}

func newRequest(signal record.Type) request {
	switch signal {
	case record.Traces:
		q := ptraceotlp.NewExportRequest()
		return &q
	case record.Logs:
		q := plogotlp.NewExportRequest()
		return &q
	default:
		q := pmetricotlp.NewExportRequest()
		return &q
	}
}

// toJSON makes a JSON request of one in protobuf.
func toJSON(signal record.Type, body []byte) ([]byte, error) {
	r := newRequest(signal)
	if err := r.UnmarshalProto(body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return r.MarshalJSON()
}

// FromJSON makes protobuf of a JSON request. The error is ErrFormat, also where
// something follows the request, which pdata ignores.
func FromJSON(signal record.Type, text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var whole json.RawMessage
	if err := decoder.Decode(&whole); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the JSON", ErrFormat)
	}
	r := newRequest(signal)
	if err := r.UnmarshalJSON(whole); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	body, err := r.MarshalProto()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return body, nil
}
