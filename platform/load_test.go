package platform_test

import (
	"strings"
	"testing"
	"time"

	"factline.dev/platform"
)

func TestLoadDrivesQuotesToTheirEnd(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	report, err := platform.Load(t.Context(), platform.LoadConfig{BaseURL: s.base, Rate: 50, Count: 60, Settle: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Whole() || report.Started != 60 || report.CapturedP50 <= 0 || report.CompletedP50 < report.CapturedP50 {
		t.Errorf("%s", report)
	}
	t.Log(report)
	if n := s.count(t, "order-service", "SELECT count(*) FROM orders.sales_order WHERE state = 'COMPLETED'"); n != 60 {
		t.Errorf("%d completed orders, want 60", n)
	}
}

func TestLoadReportsWhatFails(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.SkipSeed = true })
	report, err := platform.Load(t.Context(), platform.LoadConfig{BaseURL: s.base, Rate: 100, Count: 3, StepTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if report.Whole() || report.Failed != 3 || !strings.Contains(report.String(), "3 × draft: still 409 quote.configuration-unknown") {
		t.Errorf("%s", report)
	}
}

func TestLoadRefusesAConfigurationWithoutAddress(t *testing.T) {
	t.Parallel()
	if _, err := platform.Load(t.Context(), platform.LoadConfig{}); err == nil || !strings.Contains(err.Error(), "platform.LoadConfig.BaseURL") {
		t.Errorf("got %v", err)
	}
}
