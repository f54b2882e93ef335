package prometheus

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const root = "../.."

// rule is one alert of rules.yaml.
type rule struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations struct {
		Summary string
		Runbook string `yaml:"runbook_url"`
	}
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(read(t, "rules.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("rules.yaml holds no alert")
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// metric is a line of docs/guide/metrics.md.
type metric struct {
	name, kind string
	labels     []string
}

// documented are the metrics of some sections of the guide.
func documented(t *testing.T, sections ...string) []metric {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `(factline_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")
	var all []metric
	guide := string(read(t, root+"/docs/guide/metrics.md"))
	for _, s := range sections {
		_, text, found := strings.Cut(guide, "\n## "+s+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
		rows := row.FindAllStringSubmatch(text, -1)
		if !found || len(rows) == 0 {
			t.Fatalf("docs/guide/metrics.md lists no metric below %q", s)
		}
		for _, r := range rows {
			labels := strings.FieldsFunc(r[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })
			all = append(all, metric{r[1], r[2], labels})
		}
	}
	return all
}

func TestAlertsRestOnMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, m := range documented(t, "Outbox", "Consumer") {
		known[m.name] = true
	}
	for _, r := range rules(t) {
		used := regexp.MustCompile(`factline_[a-z_]+`).FindAllString(r.Expr, -1)
		if len(used) == 0 {
			t.Errorf("%s rests on no metric: %s", r.Alert, r.Expr)
		}
		for _, name := range used {
			if !known[name] {
				t.Errorf("%s rests on %s, which docs/guide/metrics.md does not list", r.Alert, name)
			}
		}
	}
}

func TestAlertsSayWhatIsWrongAndWhereToRead(t *testing.T) {
	t.Parallel()
	for _, r := range rules(t) {
		if r.Annotations.Summary == "" || r.Labels["severity"] == "" {
			t.Errorf("%s lacks its summary or severity: %+v", r.Alert, r)
		}
		name, isOurs := strings.CutPrefix(r.Annotations.Runbook, "https://factline.dev/runbooks/")
		name, anchor, _ := strings.Cut(name, "#")
		if !isOurs {
			t.Errorf("%s names no runbook: %q", r.Alert, r.Annotations.Runbook)
			continue
		}
		if file := "docs/runbooks/" + name + ".md"; !anchors(string(read(t, root+"/"+file)))[anchor] {
			t.Errorf("%s: %s has no section %q", r.Alert, file, anchor)
		}
	}
}

// anchors are the links of the sections of a Markdown text.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		found[strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
	}
	return found
}

func TestEveryAlertHasUnitTests(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Rules []struct {
				Alert  string      `yaml:"alertname"`
				Alerts []yaml.Node `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(read(t, "rules_test.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			fires[r.Alert] = fires[r.Alert] || len(r.Alerts) > 0
			rests[r.Alert] = rests[r.Alert] || len(r.Alerts) == 0
		}
	}
	for _, r := range rules(t) {
		if !fires[r.Alert] || !rests[r.Alert] {
			t.Errorf("%s: a unit test shows that it fires: %v, and one that it does not: %v", r.Alert, fires[r.Alert], rests[r.Alert])
		}
	}
}
