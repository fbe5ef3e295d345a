package tables

import (
	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// llmViews are the views of calls to language models. The column llm of spans
// has most columns under their own names.
//
// The cost is the one that the sender reported, else that of the price with the
// longest pattern that was in force. Cached tokens are part of input_tokens.
var llmViews = []view{
	{
		llmSpansOID, "llm_spans", "One row a call to a language model, a tool or an agent, by the GenAI conventions.",
		[]catalog.Column{
			col("trace_id", pgtypes.Text, "Trace"), col("span_id", pgtypes.Text, "Span"),
			col("parent_span_id", pgtypes.Text, "Parent span; NULL at a root"), col("service", pgtypes.Text, "Service"),
			col("operation", pgtypes.Text, "Span name"), col("start_time", pgtypes.Timestamptz, "Start"),
			col("duration_ms", pgtypes.Float8, "Duration in milliseconds"), col("status", pgtypes.Text, "unset, ok or error"),
			col("error_type", pgtypes.Text, "error.type or exception.type"),
			col("provider", pgtypes.Text, "Who serves the model"),
			col("model", pgtypes.Text, "Model asked for, else the one that answered"),
			col("request_model", pgtypes.Text, "Model asked for"), col("response_model", pgtypes.Text, "Model that answered"),
			col("response_id", pgtypes.Text, "Identifier of the answer"),
			col("llm_operation", pgtypes.Text, "chat, completion, embedding, tool or other"),
			col("gen_ai_operation", pgtypes.Text, "Operation as sent"),
			col("input_tokens", pgtypes.Int8, "Tokens of the input, cached ones included"),
			col("output_tokens", pgtypes.Int8, "Tokens of the output"), col("total_tokens", pgtypes.Int8, "Tokens of both"),
			col("cache_read_tokens", pgtypes.Int8, "Input tokens read from a cache"),
			col("cache_write_tokens", pgtypes.Int8, "Input tokens written to a cache"),
			col("reasoning_tokens", pgtypes.Int8, "Output tokens spent on reasoning"),
			col("cost_usd", pgtypes.Float8, "Cost, as reported or by llm_prices"),
			col("cost_source", pgtypes.Text, "reported, computed, or NULL where the cost is unknown"),
			col("ttft_ms", pgtypes.Float8, "Time to the first chunk"), col("inter_token_ms", pgtypes.Float8, "Time between chunks"),
			col("finish_reason", pgtypes.Text, "Why the first choice ended"),
			col("finish_reasons", pgtypes.TextArray, "Why each choice ended"),
			col("temperature", pgtypes.Float8, "Temperature asked for"), col("top_p", pgtypes.Float8, "top_p asked for"),
			col("max_tokens", pgtypes.Int8, "Output tokens allowed"), col("stream", pgtypes.Bool, "Whether the answer was streamed"),
			col("prompt", pgtypes.Text, "Texts of the input messages, a line each"),
			col("completion", pgtypes.Text, "Texts of the output messages, a line each"),
			col("prompt_sha256", pgtypes.Text, "Hash of the prompt"), col("completion_sha256", pgtypes.Text, "Hash of the completion"),
			col("input_messages", pgtypes.Jsonb, "Messages sent"), col("output_messages", pgtypes.Jsonb, "Messages received"),
			col("system_instructions", pgtypes.Jsonb, "Instructions apart from the messages"),
			col("tool_definitions", pgtypes.Jsonb, "Tools that the model may call"),
			col("conversation_id", pgtypes.Text, "Conversation"), col("agent_name", pgtypes.Text, "Agent"),
			col("agent_id", pgtypes.Text, "Identifier of the agent"), col("workflow_name", pgtypes.Text, "Workflow"),
			col("tool_name", pgtypes.Text, "Tool that was called"), col("tool_call_id", pgtypes.Text, "Identifier of the call of the tool"),
		},
		` SELECT trace_id, span_id, parent_span_id, service, operation, start_time, duration_ms, status, error_type,
    provider, model, request_model, response_model, response_id, llm_operation, gen_ai_operation,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    COALESCE(reported, computed) AS cost_usd,
        CASE
            WHEN reported IS NOT NULL THEN 'reported'
            WHEN computed IS NOT NULL THEN 'computed'
        END AS cost_source,
    ttft_ms, inter_token_ms, finish_reason, finish_reasons, temperature, top_p, max_tokens, stream,
    prompt, completion, prompt_sha256, completion_sha256, input_messages, output_messages,
    system_instructions, tool_definitions, conversation_id, agent_name, agent_id, workflow_name, tool_name, tool_call_id
   FROM ( SELECT c.*,
            CASE WHEN reported IS NULL THEN ( SELECT ((c.input_tokens - COALESCE(c.cache_read_tokens, 0) - COALESCE(c.cache_write_tokens, 0))::float8 * p.input_per_mtok
                      + COALESCE(c.cache_read_tokens, 0)::float8 * COALESCE(p.cache_read_per_mtok, p.input_per_mtok)
                      + COALESCE(c.cache_write_tokens, 0)::float8 * COALESCE(p.cache_write_per_mtok, p.input_per_mtok)
                      + COALESCE(c.output_tokens, 0)::float8 * p.output_per_mtok) / 1000000::float8
                   FROM llm_prices p
                  WHERE p.provider = c.provider AND c.model LIKE p.model_pattern AND p.valid_from <= c.start_time
                  ORDER BY length(p.model_pattern) DESC, p.valid_from DESC
                 LIMIT 1)
            END AS computed
           FROM ( SELECT trace_id, span_id, parent_span_id, service, operation, start_time, duration_ms, status, error_type,
                    llm ->> 'provider' AS provider,
                    llm ->> 'model' AS model,
                    llm ->> 'request_model' AS request_model,
                    llm ->> 'response_model' AS response_model,
                    llm ->> 'response_id' AS response_id,
                    llm ->> 'llm_operation' AS llm_operation,
                    llm ->> 'gen_ai_operation' AS gen_ai_operation,
                    (llm ->> 'input_tokens')::int8 AS input_tokens,
                    (llm ->> 'output_tokens')::int8 AS output_tokens,
                    (llm ->> 'total_tokens')::int8 AS total_tokens,
                    (llm ->> 'cache_read_tokens')::int8 AS cache_read_tokens,
                    (llm ->> 'cache_write_tokens')::int8 AS cache_write_tokens,
                    (llm ->> 'reasoning_tokens')::int8 AS reasoning_tokens,
                    (llm ->> 'cost_usd')::float8 AS reported,
                    (llm ->> 'ttft_ms')::float8 AS ttft_ms,
                    (llm ->> 'inter_token_ms')::float8 AS inter_token_ms,
                    llm ->> 'finish_reason' AS finish_reason,
                    translate(llm ->> 'finish_reasons', '[]', '{}')::text[] AS finish_reasons,
                    (llm ->> 'temperature')::float8 AS temperature,
                    (llm ->> 'top_p')::float8 AS top_p,
                    (llm ->> 'max_tokens')::int8 AS max_tokens,
                    (llm ->> 'stream')::bool AS stream,
                    llm ->> 'prompt' AS prompt,
                    llm ->> 'completion' AS completion,
                    llm ->> 'prompt_sha256' AS prompt_sha256,
                    llm ->> 'completion_sha256' AS completion_sha256,
                    llm -> 'input_messages' AS input_messages,
                    llm -> 'output_messages' AS output_messages,
                    llm -> 'system_instructions' AS system_instructions,
                    llm -> 'tool_definitions' AS tool_definitions,
                    llm ->> 'conversation_id' AS conversation_id,
                    llm ->> 'agent_name' AS agent_name,
                    llm ->> 'agent_id' AS agent_id,
                    llm ->> 'workflow_name' AS workflow_name,
                    llm ->> 'tool_name' AS tool_name,
                    llm ->> 'tool_call_id' AS tool_call_id
                   FROM spans
                  WHERE kind = 'llm') c) c;`,
	},
}
