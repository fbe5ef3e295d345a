package tables

import (
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Texts that search() finds are of these sources: prompts and completions of
// calls to models, and bodies of logs that are stored outside their rows. The
// numbers from 1 on are in the index of texts.
var textSources = []string{"prompt", "completion", "log_body"}

const (
	promptText = iota + 1
	completionText
	bodyText
)

// spanTexts says what of spans is searched.
func spanTexts() *engine.TextSpec {
	kind := engine.ColumnRef{Field: otlp.SpansSchema.Index("kind")}
	return &engine.TextSpec{
		Service: "service", Filters: []engine.Filter{{Ref: kind, Equals: []any{"llm"}}},
		MayHave: kind,
		May:     func(c *vector.Column, row int) bool { return c.Str(row) == "llm" },
		Columns: []engine.ColumnRef{{Field: otlp.SpansSchema.Index("attributes")}, {Field: otlp.SpansSchema.Index("events")}},
		Of:      callTexts,
	}
}

// callTexts gives prompt and completion of a row of attributes and events.
func callTexts(cols []*vector.Column, row int, each func(source uint8, text string)) {
	events := ""
	if !cols[1].IsNull(row) {
		events = cols[1].Str(row)
	}
	prompt, completion, hasPrompt, hasCompletion := otlp.LLMTexts(cols[0].Attrs, row, events)
	if hasPrompt {
		each(promptText, prompt)
	}
	if hasCompletion {
		each(completionText, completion)
	}
}

// logTexts says what of logs is searched: the bodies that have a hash.
func logTexts() *engine.TextSpec {
	body := otlp.LogsSchema.Index("body")
	return &engine.TextSpec{
		Service: "service",
		MayHave: engine.ColumnRef{Field: body, Digest: true},
		May:     func(c *vector.Column, row int) bool { return !c.IsNull(row) },
		Columns: []engine.ColumnRef{{Field: body}},
		Of:      bodyTexts,
	}
}

// bodyTexts gives the body of a row of bodies.
func bodyTexts(cols []*vector.Column, row int, each func(source uint8, text string)) {
	if !cols[0].IsNull(row) {
		each(bodyText, cols[0].Str(row))
	}
}
