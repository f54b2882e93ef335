package platform_test

import (
	"testing"

	"factline.dev/platform"
	"factline.dev/replay"
)

func TestReadModelsRebuiltFromTheLogEqualTheLiveOnes(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for range 3 {
		s.order(t, s.accepted(t), "COMPLETED")
	}
	pool := s.db(t, platform.ProjectionService)
	projections, err := platform.Replays(t.Context(), pool)
	if err != nil || len(projections) != 2 {
		t.Fatalf("%d read models, %v", len(projections), err)
	}
	for _, p := range projections {
		report, err := replay.Run(t.Context(), replay.Config{Projection: p, Pool: pool, Brokers: s.cluster.Addrs(), Contracts: catalogue(t)})
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		want := map[string]int64{"order-summary": 3, "order-line": 18}[p.Name]
		if !report.Equal || report.Live.Rows != want || report.Rebuilt.Rows != want {
			t.Errorf("%s: %+v", p.Name, report.Comparison)
		}
	}
}

func TestAServiceSeesOneTenantAtATime(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	id := s.accepted(t)
	s.order(t, id, "COMPLETED")
	for service, tables := range map[string][]string{
		"quote-service":      {"quote.quote", "quote.quote_line", "quote.quote_transition", "quote.quote_acceptance", "quote.idempotency", "quote.mirror_entitlement"},
		"order-service":      {"orders.sales_order", "orders.order_line", "orders.order_transition", "orders.order_capture", "orders.mirror_quote", "orders.timer"},
		"projection-service": {"projection.order_summary_projection", "projection.order_line_projection"},
	} {
		for _, table := range tables {
			for tenant, visible := range map[string]bool{"tenant_001": true, "tenant_404": false, "": false} {
				tx, err := s.db(t, service).Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var n int
				_, err = tx.Exec(t.Context(), "SELECT set_config('factline.tenant', $1, true)", tenant)
				if err == nil {
					err = tx.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n)
				}
				if rollback := tx.Rollback(t.Context()); err != nil || rollback != nil {
					t.Fatal(err, rollback)
				}
				if visible != (n > 0) {
					t.Errorf("tenant %q sees %d rows of %s", tenant, n, table)
				}
			}
		}
	}
	for _, path := range []string{"/quotes/" + id, "/read/orders?quoteId=" + id, "/orders?quoteId=" + id} {
		a := s.do(t, request{method: "GET", path: path, header: map[string]string{"X-Tenant-Id": "tenant_002"}})
		if items, list := a.body["items"].([]any); list && len(items) > 0 || !list && a.status != 404 {
			t.Errorf("another tenant reads %s: %d %s", path, a.status, a.text)
		}
	}
}
