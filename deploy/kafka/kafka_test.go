package kafka_test

import (
	"strings"
	"testing"

	"factline.dev/deploy/kafka"
)

func TestPropertiesLeaveNothingToFillIn(t *testing.T) {
	t.Parallel()
	got := kafka.Properties("9092", "9093", "/data")
	if strings.Contains(strings.ReplaceAll(got, "# {{...}}", ""), "{{") {
		t.Errorf("a placeholder is left:\n%s", got)
	}
	for _, want := range []string{
		"listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n",
		"log.dirs=/data\n",
		"auto.create.topics.enable=false\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
}

func TestPOMNamesTheVersion(t *testing.T) {
	t.Parallel()
	if want := "<kafka.version>" + kafka.Version + "</kafka.version>"; !strings.Contains(string(kafka.POM), want) {
		t.Errorf("the project does not hold %s", want)
	}
}
