package otlp

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An llmField is a member of the object that LLM gives, and the attributes that
// it is taken from: the first that is present and of its kind. First come the
// names of the GenAI conventions in force, then older ones, then those of
// OpenInference and OpenLLMetry.
type llmField struct {
	name string
	kind llmKind
	from []string
}

type llmKind uint8

const (
	llmText    llmKind = iota
	llmInt             // also of a text
	llmNumber          // also of a text
	llmSeconds         // given in ms
	llmBool
	llmJSON // also of a text that holds it
)

var llmFields = []llmField{
	{"provider", llmText, []string{"gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"}},
	{"request_model", llmText, []string{"gen_ai.request.model", "llm.model_name", "llm.request.model", "embedding.model_name"}},
	{"response_model", llmText, []string{"gen_ai.response.model", "llm.response.model"}},
	{"response_id", llmText, []string{"gen_ai.response.id"}},
	{"gen_ai_operation", llmText, []string{"gen_ai.operation.name", "llm.request.type"}},
	{"input_tokens", llmInt, []string{"gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens"}},
	{"output_tokens", llmInt, []string{"gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion", "llm.usage.completion_tokens"}},
	{"total_tokens", llmInt, []string{"gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens"}},
	{"cache_read_tokens", llmInt, []string{"gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read", "llm.usage.cache_read_input_tokens"}},
	{"cache_write_tokens", llmInt, []string{"gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write", "llm.usage.cache_creation_input_tokens"}},
	{"reasoning_tokens", llmInt, []string{"gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning", "llm.usage.reasoning_tokens"}},
	{"cost_usd", llmNumber, []string{"gen_ai.usage.cost", "gen_ai.usage.cost_usd", "gen_ai.usage.total_cost", "llm.cost.total", "llm.usage.cost"}},
	{"ttft_ms", llmSeconds, []string{"gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk", "gen_ai.server.time_to_first_token"}},
	{"inter_token_ms", llmSeconds, []string{"gen_ai.response.time_per_output_chunk", "gen_ai.client.operation.time_per_output_chunk", "gen_ai.server.time_per_output_token"}},
	{"temperature", llmNumber, []string{"gen_ai.request.temperature", "llm.temperature"}},
	{"top_p", llmNumber, []string{"gen_ai.request.top_p", "llm.top_p"}},
	{"max_tokens", llmInt, []string{"gen_ai.request.max_tokens", "llm.request.max_tokens", "llm.max_tokens"}},
	{"stream", llmBool, []string{"gen_ai.request.stream", "llm.is_streaming", "llm.stream"}},
	{"system_instructions", llmJSON, []string{"gen_ai.system_instructions"}},
	{"tool_definitions", llmJSON, []string{"gen_ai.tool.definitions", "llm.tools"}},
	{"conversation_id", llmText, []string{"gen_ai.conversation.id", "session.id"}},
	{"agent_name", llmText, []string{"gen_ai.agent.name", "agent.name"}},
	{"agent_id", llmText, []string{"gen_ai.agent.id"}},
	{"workflow_name", llmText, []string{"gen_ai.workflow.name", "traceloop.workflow.name"}},
	{"tool_name", llmText, []string{"gen_ai.tool.name", "tool.name"}},
	{"tool_call_id", llmText, []string{"gen_ai.tool.call.id", "tool_call.id"}},
}

// llmOperations groups the operations of the conventions.
var llmOperations = map[string]string{
	"chat": "chat", "generate_content": "chat",
	"text_completion": "completion", "completion": "completion",
	"embeddings": "embedding", "embedding": "embedding",
	"execute_tool": "tool", "tool": "tool",
}

// LLMFromMessages says whether a member of the object follows from messages.
func LLMFromMessages(name string) bool {
	switch name {
	case "input_messages", "prompt", "prompt_sha256", "output_messages", "completion", "completion_sha256":
		return true
	}
	return false
}

// LLMFromPayload says whether a member of the object follows from payloads:
// attributes that LLMPayload takes, or events.
func LLMFromPayload(name string) bool {
	return LLMFromMessages(name) || name == "system_instructions" || name == "tool_definitions"
}

// payloadKeys and payloadPrefixes are the attributes that hold what is sent to
// models and tools, and what they answer, beside messages.
var (
	payloadKeys = []string{
		"gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
		"llm.tools", "tool.parameters",
	}
	payloadPrefixes = []string{"gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages.", "llm.prompts.", "llm.completions."}
)

// LLMPayload says whether an attribute of a span is payload of a call to a model
// or a tool: not whose a message is, nor why an answer ended.
func LLMPayload(key string) bool {
	if strings.HasSuffix(key, "role") || strings.HasSuffix(key, "finish_reason") {
		return false
	}
	return isMessages(key) || slices.Contains(payloadKeys, key) ||
		slices.ContainsFunc(payloadPrefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// LLMPayloadEvents says whether events, as jsonb, may have payload.
func LLMPayloadEvents(events string) bool { return strings.Contains(events, `"gen_ai.`) }

// An llmCall collects the members of the object.
type llmCall struct {
	attributes  map[string]string // raw jsonb by key
	names, raws []string
}

// LLM gives what the attributes of a span, and its events as jsonb, say of a
// call to a language model, as a jsonb object. It has the columns of llm_spans
// that are known. Messages are in the form of the GenAI conventions, or as they
// were sent where they had a form of their own; prompt and completion are the
// texts in them. What follows from messages (see LLMFromMessages) costs most and
// may be left out.
func LLM(a *vector.Attrs, row int, events string, messages bool) string {
	c := &llmCall{attributes: make(map[string]string)}
	for e := a.Off[row]; e < a.Off[row+1]; e++ {
		key := a.KeyDict[a.Keys[e]]
		if !messages && isMessages(key) || a.Tags[e].IsText() && strings.HasPrefix(a.Strs[a.Vals[e]], "\x00") {
			continue // the latter is stored elsewhere, and was not asked for
		}
		c.attributes[key] = string(a.AppendJSON(nil, int(e)))
	}
	known := make(map[string]string)
	for _, f := range llmFields {
		if raw, ok := c.field(f); ok {
			c.add(f.name, raw)
			known[f.name] = raw
		}
	}
	c.addDerived(known)
	c.addFinishReasons()
	if messages {
		c.addMessages("input_messages", "prompt", events)
		c.addMessages("output_messages", "completion", events)
	}
	return pgtypes.JSONObjectOf(c.names, c.raws)
}

func (c *llmCall) add(name, raw string) {
	c.names, c.raws = append(c.names, name), append(c.raws, raw)
}

func (c *llmCall) addText(name, text string) { c.add(name, string(pgtypes.JSONQuote(nil, text))) }

// text gives the first of some attributes that is present, as text.
func (c *llmCall) text(names ...string) (string, bool) {
	for _, name := range names {
		if raw, ok := c.attributes[name]; ok {
			if text, null := pgtypes.JSONText(raw); !null {
				return text, true
			}
		}
	}
	return "", false
}

func (c *llmCall) field(f llmField) (raw string, ok bool) {
	for _, name := range f.from {
		v, ok := c.attributes[name]
		if !ok || v == "null" {
			continue
		}
		if raw, ok := f.kind.convert(v); ok {
			return raw, true
		}
	}
	// OpenInference has parameters of the request in one JSON text.
	if parameters, ok := c.text(otherParameters); ok {
		if v, ok := pgtypes.JSONGet(parameters, f.name); ok && v != "null" {
			return f.kind.convert(v)
		}
	}
	return "", false
}

// convert makes a raw jsonb value one of the kind.
func (k llmKind) convert(raw string) (string, bool) {
	text, _ := pgtypes.JSONText(raw)
	switch k {
	case llmText:
		return string(pgtypes.JSONQuote(nil, text)), true
	case llmInt:
		f, ok := finite(text)
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			return text, true
		}
		return strconv.FormatFloat(f, 'f', -1, 64), ok && f == math.Trunc(f) && math.Abs(f) < 1<<53
	case llmNumber, llmSeconds:
		f, ok := finite(text)
		if k == llmSeconds {
			f *= 1000
		}
		return string(vector.AppendJSONDouble(nil, f)), ok && !math.IsInf(f, 0)
	case llmBool:
		return text, text == "true" || text == "false"
	default:
		if t := pgtypes.JSONTypeOf(raw); t == "array" || t == "object" {
			return raw, true
		}
		doc, err := pgtypes.CanonicalJSON(text)
		if err != nil {
			return raw, true
		}
		return doc, true
	}
}

func finite(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// addDerived adds what follows from other members.
func (c *llmCall) addDerived(known map[string]string) {
	if model, ok := known["request_model"]; ok {
		c.add("model", model)
	} else if model, ok := known["response_model"]; ok {
		c.add("model", model)
	}
	operation := "other"
	if name, ok := known["gen_ai_operation"]; ok {
		text, _ := pgtypes.JSONText(name)
		if group, ok := llmOperations[text]; ok {
			operation = group
		}
	} else if kind, ok := c.text("openinference.span.kind"); ok {
		switch strings.ToLower(kind) {
		case "llm":
			operation = "chat"
		case "embedding", "tool":
			operation = strings.ToLower(kind)
		}
	}
	c.addText("llm_operation", operation)
	if _, ok := known["total_tokens"]; !ok {
		in, ok := known["input_tokens"]
		out, ok2 := known["output_tokens"]
		if ok || ok2 {
			n, _ := strconv.ParseInt(in, 10, 64)
			m, _ := strconv.ParseInt(out, 10, 64)
			c.add("total_tokens", strconv.FormatInt(n+m, 10))
		}
	}
	if _, ok := known["cost_usd"]; ok {
		c.addText("cost_source", "reported")
	}
}

func (c *llmCall) addFinishReasons() {
	var reasons []string
	for _, name := range []string{"gen_ai.response.finish_reasons", "llm.response.finish_reason", "llm.finish_reason"} {
		raw, ok := c.attributes[name]
		if !ok {
			continue
		}
		doc, _ := llmJSON.convert(raw)
		if pgtypes.JSONTypeOf(doc) != "array" {
			if text, null := pgtypes.JSONText(raw); !null {
				reasons = append(reasons, text)
			}
			break
		}
		for _, v := range pgtypes.JSONElements(doc) {
			if text, null := pgtypes.JSONText(v); !null {
				reasons = append(reasons, text)
			}
		}
		break
	}
	if reasons == nil {
		for _, m := range c.numbered("gen_ai.completion.") {
			if raw, ok := m["finish_reason"]; ok {
				text, _ := pgtypes.JSONText(raw)
				reasons = append(reasons, text)
			}
		}
	}
	if len(reasons) == 0 {
		return
	}
	raws := make([]string, len(reasons))
	for i, r := range reasons {
		raws[i] = string(pgtypes.JSONQuote(nil, r))
	}
	c.add("finish_reason", raws[0])
	c.add("finish_reasons", pgtypes.JSONArrayOf(raws))
}

// numbered gathers attributes prefix.N.rest by N, in its order.
func (c *llmCall) numbered(prefix string) []map[string]string {
	byNumber := make(map[int]map[string]string)
	var order []int
	for key, raw := range c.attributes {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		number, rest, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		if byNumber[n] == nil {
			byNumber[n] = make(map[string]string)
			order = append(order, n)
		}
		byNumber[n][rest] = raw
	}
	slices.Sort(order)
	out := make([]map[string]string, len(order))
	for i, n := range order {
		out[i] = byNumber[n]
	}
	return out
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
