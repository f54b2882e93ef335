package debezium

import (
	"strings"
	"testing"
)

func TestAStateIsReachedWhenConnectorAndTaskHaveIt(t *testing.T) {
	t.Parallel()
	running, stopped, failed := taskStatus{State: "RUNNING"}, taskStatus{State: "STOPPED"}, taskStatus{State: "FAILED", Trace: "no such table"}
	for _, test := range []struct {
		name  string
		is    status
		state string
		want  bool
		error string
	}{
		{"both run", status{running, []taskStatus{running}}, "RUNNING", true, ""},
		{"no task yet", status{running, nil}, "RUNNING", false, ""},
		{"stopped connectors have no task", status{stopped, nil}, "STOPPED", true, ""},
		{"a task still runs", status{stopped, []taskStatus{running}}, "STOPPED", false, ""},
		{"a failed task says why", status{running, []taskStatus{failed}}, "RUNNING", false, "no such table"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.is.reached(test.state)
			if got != test.want || (err != nil) != (test.error != "") || (err != nil && !strings.Contains(err.Error(), test.error)) {
				t.Errorf("reached is %v with error %v, want %v with %q", got, err, test.want, test.error)
			}
		})
	}
}
