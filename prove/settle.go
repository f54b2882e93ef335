package prove

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"factline.dev/prove/history"
)

// reading is a group and a topic that it reads.
type reading struct{ service, group, topic string }

const (
	quoteTopic = "cpq.quote.events.v1"
	orderTopic = "oms.order.events.v1"

	captureGroup   = "order-service.quote-events.consumer"
	readModelGroup = "projection-service.order-read-model.consumer"
)

// readings are all that the platform's services read.
func readings() []reading {
	return []reading{
		{history.Quotes, "quote-service.order-events.consumer", orderTopic},
		{history.Orders, captureGroup, quoteTopic},
		{history.Orders, "order-service.order-events.consumer", orderTopic},
		{history.Projections, readModelGroup, orderTopic},
	}
}

// await asks until nothing is left to wait for. What is still missing when the
// patience ends is the error.
func (o *observer) await(ctx context.Context, what string, missing func(context.Context) ([]string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	var last []string
	for {
		left, err := missing(ctx)
		if err == nil && len(left) == 0 {
			return nil
		}
		if err == nil {
			last = left
		}
		select {
		case <-ctx.Done():
			late := fmt.Errorf("prove: wait until %s: not after %s: %s", what, o.patience, strings.Join(first(last, 10), "; "))
			return errors.Join(late, err)
		case <-o.ended():
			return fmt.Errorf("prove: wait until %s: the platform ended by itself: %s", what, o.child.Tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended never comes where there is no child.
func (o *observer) ended() <-chan struct{} {
	if o.child == nil {
		return nil
	}
	return o.child.Done()
}

func first(all []string, n int) []string {
	if len(all) > n {
		return append(all[:n:n], fmt.Sprintf("and %d more", len(all)-n))
	}
	return all
}

// settle waits until every accepted quote has its order at its end, everything
// is published, and every group has read the whole log.
func (o *observer) settle(ctx context.Context) error {
	return o.await(ctx, "the platform is at rest", o.unsettled)
}

func (o *observer) unsettled(ctx context.Context) ([]string, error) {
	var left []string
	accepted, err := o.recorder.Accepted(ctx)
	if err != nil {
		return nil, err
	}
	for _, q := range accepted {
		if q.State != "CONVERTED" {
			left = append(left, "quote "+q.QuoteID+" is "+q.State)
		}
	}
	orders, err := o.recorder.Orders(ctx)
	if err != nil {
		return nil, err
	}
	for _, order := range orders {
		if order.State != "COMPLETED" {
			left = append(left, "order "+order.OrderID+" is "+order.State)
		}
	}
	waiting, err := o.recorder.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range waiting {
		if w.Unpublished > 0 {
			left = append(left, fmt.Sprintf("%s has %d events to publish", w.Service, w.Unpublished))
		}
	}
	behind, err := o.behind(ctx, readings())
	return append(left, behind...), err
}

// behind are the groups that have not read the whole log.
func (o *observer) behind(ctx context.Context, readings []reading) ([]string, error) {
	ends, err := o.recorder.EndOffsets(ctx)
	if err != nil {
		return nil, err
	}
	next, err := o.recorder.NextOffsets(ctx)
	if err != nil {
		return nil, err
	}
	return notAtEnd(readings, ends, next), nil
}

// notAtEnd says how far each group is from the end of its topic. A place beyond
// the end is one whose next records would never be read; it makes up for no lag
// elsewhere.
func notAtEnd(readings []reading, ends map[history.Place]int64, next map[string]map[history.Place]int64) (left []string) {
	for _, r := range readings {
		var lag int64
		for at, end := range ends {
			if at.Topic != r.topic {
				continue
			}
			reached := next[r.group][at]
			lag += max(0, end-reached)
			if reached > end {
				left = append(left, fmt.Sprintf("%s goes on at %s/%d/%d, beyond the end of the log at %d", r.group, at.Topic, at.Partition, reached, end))
			}
		}
		if lag > 0 || next[r.group] == nil {
			left = append(left, fmt.Sprintf("%s is %d records behind", r.group, lag))
		}
	}
	return left
}
