package lint

import (
	"fmt"
	"strings"
)

func changelog() Rule {
	return Rule{
		Name:  "changelog",
		Title: "A changelog speaks of the current version",
		Why:   "Consumers decide by the changelog whether a change concerns them; the difference of two schemas does not say why.",
		Good:  "CHANGELOG.md with a section \"Version 1\"",
		Bad:   "v2.schema.json beside a changelog that ends with version 1",
		check: checkChangelog,
	}
}

func checkChangelog(r *report) {
	for _, e := range r.current() {
		if heading := fmt.Sprintf("## Version %d\n", e.Version); !strings.Contains(e.Changelog+"\n", heading) {
			r.event(e, "eventType", "has no section %q in its CHANGELOG.md", strings.TrimSpace(heading))
		}
	}
}
