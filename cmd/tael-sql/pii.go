package main

import (
	"fmt"

	"github.com/tael-sql/tael-sql/internal/ingest/redact"
	"github.com/tael-sql/tael-sql/wal/record"
)

// pii says what of a request is never stored.
type pii struct {
	DenyKeys []string  `mapstructure:"deny_keys" yaml:"deny_keys"`
	Rules    []piiRule `mapstructure:"rules" yaml:"rules"`
}

type piiRule struct {
	Pattern string   `mapstructure:"pattern" yaml:"pattern"`
	Replace string   `mapstructure:"replace" yaml:"replace"`
	In      []string `mapstructure:"in" yaml:"in,omitempty"`
}

// newRedactor makes what the settings say.
func (c *config) newRedactor() (err error) {
	if _, err = redact.New(redact.Options{Payloads: c.LLM.Payloads}); err != nil {
		return fmt.Errorf("llm.payloads: %w", err)
	}
	o := redact.Options{DenyKeys: c.Ingest.PII.DenyKeys, Payloads: c.LLM.Payloads}
	for _, r := range c.Ingest.PII.Rules {
		o.Rules = append(o.Rules, redact.Rule{Pattern: r.Pattern, Replace: r.Replace, In: r.In})
	}
	if c.redactor, err = redact.New(o); err != nil {
		return fmt.Errorf("ingest.pii: %w", err)
	}
	return nil
}

// rewrite is what the receivers do to requests; nil for nothing.
func (c *config) rewrite() func(record.Type, []byte) ([]byte, error) {
	if c.redactor == nil {
		return nil
	}
	return c.redactor.Rewrite
}
