package platform_test

import (
	"testing"
)

func TestQuoteBecomesACompletedOrder(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	id := s.accepted(t)
	order := s.order(t, id, "COMPLETED")
	t.Log(order)
}
