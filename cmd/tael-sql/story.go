package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
)

// The story of the demo: an hour of ordinary trade, and in its last minutes
// payments that have become slow and fail.
const (
	storyLength   = 65 * time.Minute
	troubleLength = 5 * time.Minute
	troubled      = "payment" // the service at fault

	ordersAMinute    = 30
	questionsAMinute = 2
)

// tell plays the story up to now.
func (s *shop) tell(ctx context.Context) {
	now := time.Now().Add(-time.Second)
	for at := now.Add(-storyLength); at.Before(now); at = at.Add(time.Minute / ordersAMinute) {
		s.order(ctx, at, now.Sub(at) < troubleLength)
	}
	for at := now.Add(-storyLength); at.Before(now); at = at.Add(time.Minute / questionsAMinute) {
		s.question(ctx, at)
	}
}

// order simulates one order, of which some payments fail.
func (s *shop) order(ctx context.Context, at time.Time, trouble bool) {
	root := s.begin(ctx, "frontend", "POST /order", trace.SpanKindServer, at,
		attribute.String("http.request.method", "POST"), attribute.String("http.route", "/order"),
		attribute.Int("http.response.status_code", 200))
	root.work(s.rng, 2)
	checkout := s.begin(root.ctx, "checkout", "PlaceOrder", trace.SpanKindServer, root.now)
	checkout.work(s.rng, 1)

	cart := s.begin(checkout.ctx, "cart", "GetCart", trace.SpanKindServer, checkout.now)
	query := s.begin(cart.ctx, "postgres", "SELECT cart", trace.SpanKindClient, cart.now,
		attribute.String("db.system.name", "postgresql"), attribute.String("db.query.text", "SELECT * FROM cart WHERE id = $1"))
	query.work(s.rng, 3)
	cart.now = query.end()
	checkout.now = cart.end()

	checkout.now = s.charge(checkout, trouble)

	publish := s.begin(checkout.ctx, "checkout", "orders publish", trace.SpanKindProducer, checkout.now,
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders"))
	publish.work(s.rng, 1)
	checkout.now = publish.end()
	root.now = checkout.end()
	root.work(s.rng, 1)
	root.end()

	process := s.begin(publish.ctx, "fulfilment", "orders process", trace.SpanKindConsumer, publish.now.Add(5*time.Millisecond),
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders"))
	process.work(s.rng, 4)
	mail := s.begin(process.ctx, "email", "SendConfirmation", trace.SpanKindServer, process.now)
	mail.work(s.rng, 8)
	process.now = mail.end()
	process.end()
}

// charge takes the payment and gives the time after it.
func (s *shop) charge(checkout *call, trouble bool) time.Time {
	card := []string{"amex", "mastercard", "visa"}[s.rng.IntN(3)]
	pay := s.begin(checkout.ctx, troubled, "Charge", trace.SpanKindServer, checkout.now, attribute.String("card.type", card))
	ms, declined := 20.0, 50
	if trouble {
		ms, declined = 90, 4
	}
	pay.work(s.rng, ms)
	switch {
	case s.rng.IntN(declined) > 0:
		pay.log(otellog.SeverityInfo, "charged")
	case trouble:
		pay.fail("acquirer timed out: no connection left in the pool")
		checkout.log(otellog.SeverityWarn, "payment failed, order kept for later")
	default:
		pay.fail("card declined: " + card)
		checkout.log(otellog.SeverityWarn, "payment failed, order kept for later")
	}
	return pay.end()
}

// question simulates a customer's question to the support agent: a language
// model that looks the order up and answers.
func (s *shop) question(ctx context.Context, at time.Time) {
	agent := s.begin(ctx, "support-agent", "invoke_agent support", trace.SpanKindServer, at,
		attribute.String("gen_ai.operation.name", "invoke_agent"), attribute.String("gen_ai.agent.name", "support"))
	agent.work(s.rng, 3)
	model := []string{"gpt-4o", "gpt-4o-mini"}[s.rng.IntN(2)]
	asked := "Where is order " + string(rune('A'+s.rng.IntN(26))) + "?"
	agent.now = s.chat(agent, model, asked, "Let me look that up.", "tool_calls")
	tool := s.begin(agent.ctx, "support-agent", "execute_tool find_order", trace.SpanKindInternal, agent.now,
		attribute.String("gen_ai.operation.name", "execute_tool"), attribute.String("gen_ai.tool.name", "find_order"))
	tool.work(s.rng, 12)
	if s.rng.IntN(8) == 0 {
		tool.fail("find_order: rate limit exceeded")
	}
	agent.now = tool.end()
	agent.now = s.chat(agent, model, asked+" The tool says: on its way.", "Your order is on its way.", "stop")
	agent.end()
}

// chat is one call of a language model.
func (s *shop) chat(agent *call, model, prompt, completion, finish string) time.Time {
	in, out := 200+s.rng.IntN(800), 20+s.rng.IntN(200)
	price := map[string]float64{"gpt-4o": 1, "gpt-4o-mini": 0.06}[model]
	c := s.begin(agent.ctx, "support-agent", "chat "+model, trace.SpanKindClient, agent.now,
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", model), attribute.String("gen_ai.response.model", model),
		attribute.Int("gen_ai.usage.input_tokens", in), attribute.Int("gen_ai.usage.output_tokens", out),
		attribute.Float64("gen_ai.usage.cost", price*(float64(in)*2.5+float64(out)*10)/1e6),
		attribute.StringSlice("gen_ai.response.finish_reasons", []string{finish}),
		attribute.String("gen_ai.input.messages", `[{"role": "user", "parts": [{"type": "text", "content": "`+prompt+`"}]}]`),
		attribute.String("gen_ai.output.messages", `[{"role": "assistant", "parts": [{"type": "text", "content": "`+completion+`"}], "finish_reason": "`+finish+`"}]`))
	c.work(s.rng, 400)
	return c.end()
}
