package consumer

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// checkGroup returns what is wrong with a group id, or "". A group id is a
// stable name in the database and on the broker: a random part would start
// from the beginning at every deploy and leave a dead group behind each time.
func checkGroup(group, service string) string {
	form := regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.consumer$`)
	switch {
	case group == "":
		return "it is empty; name it <service>.<topic or purpose>.consumer"
	case !form.MatchString(group) || len(group) > 200:
		return fmt.Sprintf("%q has not the form <service>.<topic or purpose>.consumer in lower-case letters, digits and dashes", group)
	case service != "" && !strings.HasPrefix(group, service+"."):
		return fmt.Sprintf("%q does not begin with the service %q; a group belongs to one service", group, service)
	}
	if part := randomPart(strings.TrimPrefix(group, service)); part != "" {
		return fmt.Sprintf("%q looks random in %q; a group id must be the same in every deploy and on every host", part, group)
	}
	return ""
}

// randomPart finds a piece that looks generated: a UUID, a ULID, a pod suffix,
// a host's number or name.
func randomPart(group string) string {
	if uuid := regexp.MustCompile(`[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}`).FindString(group); uuid != "" {
		return uuid
	}
	host, _ := os.Hostname()
	for _, part := range strings.FieldsFunc(group, func(r rune) bool { return r == '.' || r == '-' }) {
		if digits := digitsIn(part); digits >= 4 || (len(part) >= 5 && digits >= 2 && digits < len(part)) {
			return part
		}
	}
	if digitsIn(host) > 0 && strings.Contains(group, strings.ToLower(host)) {
		return host
	}
	return ""
}

func digitsIn(s string) (n int) {
	for _, r := range s {
		if '0' <= r && r <= '9' {
			n++
		}
	}
	return n
}
