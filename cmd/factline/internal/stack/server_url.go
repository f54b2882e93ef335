package stack

import (
	"errors"
	"net/url"
	"strings"

	"factline.dev/platform"
)

// serviceURLs returns where the services' databases are on a server, as the
// role of its URL sees them.
func serviceURLs(server string) (map[string]string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("stack: read --postgres: it is no postgres:// URL; postgres://user:password@host:5432/postgres is one")
	}
	urls := map[string]string{}
	for _, name := range platform.Services() {
		service := *u
		service.Path = "/factline_" + strings.ReplaceAll(strings.TrimSuffix(name, "-service"), "-", "_")
		urls[name] = service.String()
	}
	return urls, nil
}
