package prove

import (
	"context"

	"factline.dev/prove/history"
)

// atOnce is how many clients accept quotes at the same time.
const atOnce = 8

func (s *slice) acceptQuotes(ctx context.Context, out *outcome) error {
	s.accept(ctx, s.cfg.Quotes)
	h, err := s.settleAndRecord(ctx, out)
	if err != nil {
		return err
	}
	requests := 0
	for _, q := range h.Quotes {
		requests += q.Requests
	}
	out.saw("%d quotes accepted with %d requests", len(h.Quotes), requests)
	s.judge(h, out)
	return nil
}

func (s *slice) accept(ctx context.Context, n int) []history.Quote {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	quotes := s.client.Accept(limited, s.planner.Next(n), atOnce)
	s.known.Quotes = append(s.known.Quotes, quotes...)
	return quotes
}
