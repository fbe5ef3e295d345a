-- The data of questions.md: a shop on the morning of 15 January 2026.

-- Three orders. In the second and third, payment fails under a root that is fine.
INSERT INTO spans (trace_id, span_id, parent_span_id, service, operation, kind, start_time, duration_ms, status, attributes) VALUES
 ('000000000000000000000000000000a1', '00000000000000a1', NULL,               'frontend', 'POST /order', 'server', '2026-01-15 10:00:00+00', 100, 'unset', '{"version": "1.4", "experiment": "control"}'),
 ('000000000000000000000000000000a1', '00000000000000a2', '00000000000000a1', 'checkout', 'PlaceOrder',  'server', '2026-01-15 10:00:00.01+00', 80, 'unset', '{}'),
 ('000000000000000000000000000000a1', '00000000000000a3', '00000000000000a2', 'payment',  'Charge',      'server', '2026-01-15 10:00:00.03+00', 50, 'unset', '{}'),
 ('000000000000000000000000000000b1', '00000000000000b1', NULL,               'frontend', 'POST /order', 'server', '2026-01-15 10:20:00+00', 240, 'ok',    '{"version": "1.5", "experiment": "new"}'),
 ('000000000000000000000000000000b1', '00000000000000b2', '00000000000000b1', 'checkout', 'PlaceOrder',  'server', '2026-01-15 10:20:00.01+00', 220, 'error', '{}'),
 ('000000000000000000000000000000b1', '00000000000000b3', '00000000000000b2', 'payment',  'Charge',      'server', '2026-01-15 10:20:00.02+00', 200, 'error', '{}'),
 ('000000000000000000000000000000c1', '00000000000000c1', NULL,               'frontend', 'POST /order', 'server', '2026-01-15 10:21:00+00', 260, 'unset', '{"version": "1.5", "experiment": "new"}'),
 ('000000000000000000000000000000c1', '00000000000000c2', '00000000000000c1', 'checkout', 'PlaceOrder',  'server', '2026-01-15 10:21:00.02+00', 230, 'unset', '{}'),
 ('000000000000000000000000000000c1', '00000000000000c3', '00000000000000c2', 'payment',  'Charge',      'server', '2026-01-15 10:21:00.04+00', 210, 'error', '{}');

-- Two runs of a support agent. The second calls its tool four times before it answers.
INSERT INTO spans (trace_id, span_id, parent_span_id, service, operation, kind, start_time, duration_ms, status, attributes) VALUES
 ('000000000000000000000000000000d1', '00000000000000d1', NULL,               'agent', 'invoke_agent support', 'internal', '2026-01-15 11:00:00+00', 900, 'unset', '{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}'),
 ('000000000000000000000000000000d1', '00000000000000d2', '00000000000000d1', 'agent', 'chat gpt-4o',          'client',   '2026-01-15 11:00:00.1+00', 700, 'unset', '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cost": 0.0035, "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Where is my order?"}]}], "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]}]}'),
 ('000000000000000000000000000000e1', '00000000000000e1', NULL,               'agent', 'invoke_agent support', 'internal', '2026-01-16 09:00:00+00', 3000, 'unset', '{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}'),
 ('000000000000000000000000000000e1', '00000000000000e2', '00000000000000e1', 'agent', 'execute_tool find_order', 'internal', '2026-01-16 09:00:00.1+00', 20, 'error', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}'),
 ('000000000000000000000000000000e1', '00000000000000e3', '00000000000000e1', 'agent', 'execute_tool find_order', 'internal', '2026-01-16 09:00:00.2+00', 20, 'error', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}'),
 ('000000000000000000000000000000e1', '00000000000000e4', '00000000000000e1', 'agent', 'execute_tool find_order', 'internal', '2026-01-16 09:00:00.3+00', 20, 'error', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}'),
 ('000000000000000000000000000000e1', '00000000000000e5', '00000000000000e1', 'agent', 'execute_tool find_order', 'internal', '2026-01-16 09:00:00.4+00', 20, 'unset', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}'),
 ('000000000000000000000000000000e1', '00000000000000e6', '00000000000000e1', 'agent', 'chat gpt-4o',          'client',   '2026-01-16 09:00:01+00', 1800, 'unset', '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 4000, "gen_ai.usage.output_tokens": 500, "gen_ai.usage.cost": 0.015, "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Where is my order?"}]}], "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "It was lost."}]}]}'),
 ('000000000000000000000000000000e1', '00000000000000e7', '00000000000000e1', 'agent', 'chat gpt-4o-mini',     'client',   '2026-01-16 09:00:02.9+00', 90, 'unset', '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 200, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cost": 0.0001}');

INSERT INTO logs (timestamp, service, severity, body, trace_id, span_id) VALUES
 ('2026-01-15 10:00:00.05+00', 'payment',  'info',  'charged', '000000000000000000000000000000a1', '00000000000000a3'),
 ('2026-01-15 10:20:00.1+00',  'payment',  'error', 'acquirer timed out', '000000000000000000000000000000b1', '00000000000000b3'),
 ('2026-01-15 10:20:00.15+00', 'postgres', 'warn',  'too many connections', NULL, NULL),
 ('2026-01-15 10:21:00.1+00',  'payment',  'error', 'acquirer timed out', '000000000000000000000000000000c1', '00000000000000c3'),
 ('2026-01-15 10:30:00+00',    'postgres', 'error', 'disk is almost full', NULL, NULL),
 ('2026-01-14 10:00:00+00',    'payment',  'error', 'acquirer timed out', NULL, NULL);

-- A counter with a restart, and the load of a host.
INSERT INTO metrics (timestamp, start_time, service, name, metric_type, temporality, is_monotonic, value, unit, attributes)
SELECT timestamptz '2026-01-15 10:00:00+00' + g * interval '10 minutes', '2026-01-15 09:00:00+00', 'frontend', 'requests', 'sum', 'cumulative', true, v, '1', jsonb_build_object('route', r)
FROM (VALUES (0, 100, '/order'), (1, 160, '/order'), (2, 30, '/order'), (3, 60, '/order'), (0, 10, '/cart'), (1, 40, '/cart'), (2, 70, '/cart'), (3, 100, '/cart')) v(g, v, r);
INSERT INTO metrics (timestamp, service, name, metric_type, value, unit)
SELECT timestamptz '2026-01-15 10:00:00+00' + g * interval '10 minutes', 'payment', 'cpu.utilization', 'gauge', v, '1'
FROM (VALUES (0, 0.25), (1, 0.5), (2, 0.9)) v(g, v);

INSERT INTO comments (id, trace_id, author, body, created_at) VALUES
 ('n1', '000000000000000000000000000000d1', 'ann', '{"kind": "review", "score": 5}', '2026-01-16 12:00:00+00'),
 ('n2', '000000000000000000000000000000b1', 'bob', 'known: the acquirer''s pool', '2026-01-16 12:05:00+00');

-- An hour of searches, and five minutes in which every third one fails.
INSERT INTO spans (trace_id, span_id, service, operation, kind, start_time, duration_ms, status)
SELECT lpad(to_hex(65536 + g), 32, '0'), lpad(to_hex(65536 + g), 16, '0'), 'search', 'GET /search', 'server',
       timestamptz '2026-01-17 08:00:00+00' + g * interval '10 seconds', 20 + g % 7,
       CASE WHEN g >= 360 AND g % 3 = 0 OR g % 100 = 0 THEN 'error' ELSE 'unset' END
FROM generate_series(0, 389) g;
