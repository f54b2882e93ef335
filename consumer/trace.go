package consumer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"factline.dev/envelope"
)

const tracerName = "factline.dev/consumer"

// span starts a span for one event, child of the one that published it, or for
// several with a link to each, and makes cause.Traceparent the new span's.
// Without a tracer it changes nothing.
func (r *Runner) span(ctx context.Context, cause *envelope.Cause, items ...*item) (context.Context, func(error)) {
	if r.cfg.TracerProvider == nil {
		return ctx, func(error) {}
	}
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.destination.name", items[0].msg.Topic),
		attribute.String("messaging.consumer.group.name", r.cfg.Group),
	)}
	name := "handle " + items[0].msg.EventType
	if len(items) == 1 {
		ctx = published(ctx, cause.Traceparent)
		opts = append(opts, trace.WithAttributes(
			attribute.String("messaging.message.id", items[0].event.EventID),
			attribute.Int64("messaging.kafka.offset", items[0].msg.Offset),
		))
	} else {
		name = "handle events"
		for _, it := range items {
			opts = append(opts, trace.WithLinks(trace.LinkFromContext(published(context.Background(), it.msg.Cause().Traceparent))))
		}
	}
	ctx, span := r.cfg.TracerProvider.Tracer(tracerName).Start(ctx, name, opts...)
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if traceparent := carrier.Get(envelope.HeaderTraceparent); traceparent != "" {
		cause.Traceparent = traceparent
	}
	return ctx, func(err error) {
		if err != nil && !IsRejected(err) {
			span.RecordError(err)
			span.SetStatus(codes.Error, "handler failed")
		}
		span.End()
	}
}

func published(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{envelope.HeaderTraceparent: traceparent})
}
