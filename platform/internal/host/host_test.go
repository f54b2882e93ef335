package host

import (
	"testing"

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
