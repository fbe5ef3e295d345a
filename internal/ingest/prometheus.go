package ingest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"

	"github.com/tael-sql/tael-sql/wal/record"
)

// remoteWritePath takes what Prometheus sends.
const remoteWritePath = "/api/v1/write"

// remoteWrite answers a request of Prometheus remote-write 1.0, in plain text.
// What passes is a 503: unlike a 429, all senders repeat it.
func (s *Server) remoteWrite(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "requests are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	if failure := s.authorizeWeb(w, r); failure != nil {
		plainAnswer(w, failure)
		return
	}
	if typ := r.Header.Get("Content-Type"); !strings.HasPrefix(typ, typeProtobuf) || strings.Contains(typ, "write.v2") {
		http.Error(w, "the content type is "+typeProtobuf+", of remote-write 1.0", http.StatusUnsupportedMediaType)
		return
	}
	b := &webBody{pool: &s.pool, limit: s.opts.MaxMessageBytes}
	defer b.release()
	if failure := b.read(w, r); failure != nil {
		plainAnswer(w, failure)
		return
	}
	if !b.take(2 * int64(len(b.bytes))) { // as read, and as OTLP
		plainAnswer(w, webStatus(errPool))
		return
	}
	request, err := s.prometheus.Translate(b.bytes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rejected, reason := int64(request.Rejected), request.Reason
	if request.Points > 0 {
		answer, err := s.export(r.Context(), &services[metricsService], record.RemoteWrite, request.OTLP)
		if err != nil {
			plainAnswer(w, webStatus(err))
			return
		}
		if p := answer.(*metricspb.ExportMetricsServiceResponse).GetPartialSuccess(); p.GetRejectedDataPoints() > 0 {
			rejected += p.GetRejectedDataPoints()
			if reason == "" {
				reason = p.GetErrorMessage()
			}
		}
	}
	if rejected > 0 { // the rest is stored
		http.Error(w, strconv.FormatInt(rejected, 10)+" items were rejected: "+reason, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// plainAnswer answers an error to a sender that does not speak OTLP.
func plainAnswer(w http.ResponseWriter, e *webError) {
	st := status.Convert(e.status)
	code := e.code
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(info.GetRetryDelay().AsDuration()/time.Second)))
			code = http.StatusServiceUnavailable
		}
	}
	if st.Code() == codes.DeadlineExceeded {
		code = http.StatusServiceUnavailable
	}
	http.Error(w, st.Message(), code)
}
