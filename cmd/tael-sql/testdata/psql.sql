-- What the transcripts of testdata/psql are about.
INSERT INTO spans (trace_id, span_id, parent_span_id, service, operation, start_time, end_time, status, kind) VALUES
  ('0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', NULL, 'shop', 'GET /cart', '2026-01-02 03:04:05Z', '2026-01-02 03:04:05.25Z', 'ok', 'server'),
  ('0af7651916cd43dd8448eb211c80319c', '00f067aa0ba902b7', 'b7ad6b7169203331', 'stock', 'read', '2026-01-02 03:04:05.01Z', '2026-01-02 03:04:05.2Z', 'error', 'internal');
INSERT INTO comments (id, trace_id, author, body, created_at) VALUES
  ('6f1b3d0e-8f6c-4a5e-9d5b-0a1c2d3e4f50', '0af7651916cd43dd8448eb211c80319c', 'ada', 'stock is slow', '2026-01-02 03:05:00Z');
