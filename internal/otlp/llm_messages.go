package otlp

import (
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Where the messages of a call are, newest convention first.
type llmMessages struct {
	attributes []string // JSON, or a text
	numbered   []string // prefixes of attributes, as gen_ai.prompt.0.content
	events     map[string]string
	role       string // where none is given
}

var llmMessageSources = map[string]llmMessages{
	"input_messages": {
		attributes: []string{"gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages", "input.value"},
		numbered:   []string{"gen_ai.prompt.", "llm.input_messages.", "llm.prompts."},
		events: map[string]string{
			"gen_ai.content.prompt": "", "gen_ai.system.message": "system", "gen_ai.user.message": "user",
			"gen_ai.assistant.message": "assistant", "gen_ai.tool.message": "tool",
		},
		role: "user",
	},
	"output_messages": {
		attributes: []string{"gen_ai.output.messages", "gen_ai.completion", "llm.output_messages", "output.value"},
		numbered:   []string{"gen_ai.completion.", "llm.output_messages.", "llm.completions."},
		events:     map[string]string{"gen_ai.content.completion": "", "gen_ai.choice": "assistant"},
		role:       "assistant",
	},
}

// isMessages says whether an attribute is for messages alone.
func isMessages(key string) bool {
	for _, from := range llmMessageSources {
		if slices.Contains(from.attributes, key) {
			return true
		}
	}
	return false
}

// LLMTexts gives prompt and completion as LLM does, and whether there is one.
func LLMTexts(a *vector.Attrs, row int, events string) (prompt, completion string, hasPrompt, hasCompletion bool) {
	c := &llmCall{attributes: make(map[string]string)}
	for e := a.Off[row]; e < a.Off[row+1]; e++ {
		if key := a.KeyDict[a.Keys[e]]; LLMPayload(key) || isMessagePart(key) {
			c.attributes[key] = string(a.AppendJSON(nil, int(e)))
		}
	}
	text := func(name string) (string, bool) {
		doc, ok := c.messages(llmMessageSources[name], events)
		if !ok {
			return "", false
		}
		texts := messageTexts(nil, doc, maxMessageDepth)
		return strings.Join(texts, "\n"), len(texts) > 0
	}
	prompt, hasPrompt = text("input_messages")
	completion, hasCompletion = text("output_messages")
	return prompt, completion, hasPrompt, hasCompletion
}

// isMessagePart says whether an attribute is a part of a message, such as whose
// it is.
func isMessagePart(key string) bool {
	for _, from := range llmMessageSources {
		if slices.ContainsFunc(from.numbered, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			return true
		}
	}
	return false
}

// addMessages adds the messages of one direction, their text and its hash.
func (c *llmCall) addMessages(name, textName, events string) {
	doc, ok := c.messages(llmMessageSources[name], events)
	if !ok {
		return
	}
	c.add(name, doc)
	texts := messageTexts(nil, doc, maxMessageDepth)
	if len(texts) == 0 {
		return
	}
	text := strings.Join(texts, "\n")
	c.addText(textName, text)
	c.addText(textName+"_sha256", hashOf(text))
}

func (c *llmCall) messages(from llmMessages, events string) (doc string, ok bool) {
	// input.value and output.value repeat what OpenInference has in numbered ones.
	last := len(from.attributes) - 1
	if doc, ok := c.whole(from.attributes[:last], from.role); ok {
		return doc, true
	}
	for _, prefix := range from.numbered {
		if list := c.numbered(prefix); len(list) > 0 {
			raws := make([]string, len(list))
			for i, fields := range list {
				raws[i] = numberedMessage(fields, from.role)
			}
			return pgtypes.JSONArrayOf(raws), true
		}
	}
	if doc, ok := c.whole(from.attributes[last:], from.role); ok {
		return doc, true
	}
	return eventMessages(from, events)
}

// whole reads messages that one attribute holds.
func (c *llmCall) whole(names []string, role string) (doc string, ok bool) {
	for _, name := range names {
		raw, ok := c.attributes[name]
		if !ok || raw == "null" {
			continue
		}
		return messagesOf(raw, role), true
	}
	return "", false
}

// messagesOf gives JSON as it is, also from within a text, and makes a message
// of any other text.
func messagesOf(raw, role string) string {
	doc, _ := llmJSON.convert(raw)
	switch pgtypes.JSONTypeOf(doc) {
	case "array", "object":
		return doc
	}
	text, _ := pgtypes.JSONText(raw)
	return pgtypes.JSONArrayOf([]string{newMessage(role, []string{textPart(text)}, "")})
}

func textPart(text string) string {
	return pgtypes.JSONObjectOf([]string{"type", "content"}, []string{`"text"`, string(pgtypes.JSONQuote(nil, text))})
}

// newMessage makes a message as the conventions have it.
func newMessage(role string, parts []string, finishReason string) string {
	names := []string{"role", "parts"}
	raws := []string{string(pgtypes.JSONQuote(nil, role)), pgtypes.JSONArrayOf(parts)}
	if finishReason != "" {
		names, raws = append(names, "finish_reason"), append(raws, finishReason)
	}
	return pgtypes.JSONObjectOf(names, raws)
}

// numberedMessage makes a message of attributes such as role, content and
// tool_calls.0.name; OpenInference has message. before each, and the parts of
// a content in contents.N.message_content.
func numberedMessage(fields map[string]string, role string) string {
	plain := make(map[string]string, len(fields))
	for key, raw := range fields {
		plain[strings.TrimPrefix(key, "message.")] = raw
	}
	if raw, ok := plain["role"]; ok {
		role, _ = pgtypes.JSONText(raw)
	}
	var parts []string
	for _, key := range []string{"content", "prompt.text", "completion.text"} {
		if raw, ok := plain[key]; ok && raw != "null" {
			text, _ := pgtypes.JSONText(raw)
			parts = append(parts, textPart(text))
		}
	}
	within := &llmCall{attributes: plain}
	for _, content := range within.numbered("contents.") {
		if raw, ok := content["message_content.text"]; ok {
			text, _ := pgtypes.JSONText(raw)
			parts = append(parts, textPart(text))
		}
	}
	for _, call := range within.numbered("tool_calls.") {
		names, raws := []string{"type"}, []string{`"tool_call"`}
		for _, key := range []string{"id", "name", "arguments"} {
			for _, prefix := range []string{"", "tool_call.", "tool_call.function.", "function."} {
				if raw, ok := call[prefix+key]; ok {
					if key == "arguments" {
						raw, _ = llmJSON.convert(raw)
					}
					names, raws = append(names, key), append(raws, raw)
					break
				}
			}
		}
		parts = append(parts, pgtypes.JSONObjectOf(names, raws))
	}
	return newMessage(role, parts, plain["finish_reason"])
}

// eventMessages reads messages from events of a span: one that has them all
// (the details of an operation), or one for each.
func eventMessages(from llmMessages, events string) (doc string, ok bool) {
	if !strings.Contains(events, "gen_ai.") {
		return "", false
	}
	var raws []string
	for _, event := range pgtypes.JSONElements(events) {
		nameRaw, _ := pgtypes.JSONGet(event, "name")
		name, _ := pgtypes.JSONText(nameRaw)
		attributes, _ := pgtypes.JSONGet(event, "attributes")
		role, known := from.events[name]
		if !known && name != "gen_ai.client.inference.operation.details" {
			continue
		}
		for key, raw := range pgtypes.JSONEach(attributes) {
			switch {
			case slices.Contains(from.attributes, key) && raw != "null":
				return messagesOf(raw, from.role), true
			case known && (key == "content" || key == "message" || key == "gen_ai.event.content"):
				raws = append(raws, eventMessage(raw, role))
			}
		}
	}
	if len(raws) == 0 {
		return "", false
	}
	return pgtypes.JSONArrayOf(raws), true
}

func eventMessage(raw, role string) string {
	doc, _ := llmJSON.convert(raw)
	if pgtypes.JSONTypeOf(doc) == "object" {
		return doc
	}
	text, _ := pgtypes.JSONText(raw)
	return newMessage(role, []string{textPart(text)}, "")
}

// maxMessageDepth bounds how deep texts are looked for in messages.
const maxMessageDepth = 8

// Where a message or a part of one has its text, and the types that have one.
var (
	textKeys  = []string{"messages", "message", "parts", "content", "text"}
	textTypes = []string{`"text"`, `"input_text"`, `"output_text"`, `"message"`}
)

// messageTexts gathers the texts of messages in the forms of the conventions
// (parts) and of the providers (content, message).
func messageTexts(dst []string, doc string, depth int) []string {
	if depth == 0 {
		return dst
	}
	switch pgtypes.JSONTypeOf(doc) {
	case "string":
		if text, _ := pgtypes.JSONText(doc); text != "" {
			dst = append(dst, text)
		}
	case "array":
		for _, v := range pgtypes.JSONElements(doc) {
			dst = messageTexts(dst, v, depth-1)
		}
	case "object":
		at, found := len(textKeys), ""
		for key, v := range pgtypes.JSONEach(doc) {
			if key == "type" && !slices.Contains(textTypes, v) { // reasoning, calls of tools, images
				return dst
			}
			if i := slices.Index(textKeys, key); i >= 0 && i < at {
				at, found = i, v
			}
		}
		if at < len(textKeys) {
			return messageTexts(dst, found, depth-1)
		}
	}
	return dst
}
