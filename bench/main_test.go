package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestFlagsMayStandOnBothSidesOfTheNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args string
		want []string
		json bool
	}{
		{"nothing means everything", "", []string{"relay", "consumer"}, false},
		{"a flag before", "--json relay", []string{"relay"}, true},
		{"a flag behind", "consumer --json", []string{"consumer"}, true},
		{"a flag between", "relay --json consumer", []string{"relay", "consumer"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(strings.Fields(test.args), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(o.benchmarks, test.want) || o.json != test.json {
				t.Errorf("parsed as %v, json %v; want %v, %v", o.benchmarks, o.json, test.want, test.json)
			}
		})
	}
	if _, err := parse([]string{"latency"}, io.Discard); err == nil {
		t.Error("a benchmark without peers was accepted")
	}
}
