package lint

import (
	"fmt"
	"regexp"
	"strings"
)

var groupForm = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.consumer$`)

func groupName() Rule {
	return Rule{
		Name:  "group-name",
		Title: "A group's name is <service>.<stream>.consumer",
		Why: "The group id holds offsets and the record of what was done. A random or shared one starts over after " +
			"every restart or lets two responsibilities eat each other's events.",
		Good:  "order-service.quote-events.consumer",
		Bad:   "group1",
		check: checkGroupName,
	}
}

func checkGroupName(r *report) {
	for _, s := range r.Services() {
		for i, g := range s.Groups {
			at := fmt.Sprintf("groups[%d].name", i)
			switch {
			case !groupForm.MatchString(g.Name):
				r.service(s, at, "has a group %q; name it <service>.<stream>.consumer", g.Name)
			case !strings.HasPrefix(g.Name, s.Name+"."):
				r.service(s, at, "has a group %q; begin it with %s.", g.Name, s.Name)
			case g.Purpose == "":
				r.service(s, at, "has a group %s without a purpose; say what it does", g.Name)
			}
		}
	}
}
