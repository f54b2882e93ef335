package host

import (
	"testing"

	"factline.dev/consumer"
	"factline.dev/platform/internal/database"
)

// An event in the platform's name used to run its handler with every tenant's
// rows in sight.
func TestConsumersRefuseEventsInThePlatformsName(t *testing.T) {
	t.Parallel()
	all, none := ownTenants(nil), ownTenants(func(string) bool { return false })
	if all(database.Platform) || !all("tenant_001") || none("tenant_001") {
		t.Errorf("platform %v, a tenant %v, a tenant that the preset refuses %v; want false, true, false",
			all(database.Platform), all("tenant_001"), none("tenant_001"))
	}
}

// Two services that refuse a tenant would tell each other for ever.
func TestThereIsNoAlertAboutAnAlert(t *testing.T) {
	t.Parallel()
	raise := Host{}.WithDefaults().raiseAlert(nil) // an append would panic
	if err := raise(t.Context(), nil, consumer.Alert{EventType: alertEvent, TenantID: "tenant_001"}); err != nil {
		t.Error(err)
	}
}
