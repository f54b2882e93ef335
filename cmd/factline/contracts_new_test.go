package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewDraftsIntoAnEmptyFolderAndLintAsksForTheRest(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new", "parcels")
	args := []string{
		"contracts", "new", "event", "ParcelHandedOver", "--folder", folder, "--topic", "post.parcel.events.v1",
		"--owner", "parcel-service", "--address", "https://example.org/contracts", "--field", "counter=Where. \x1b[2J", "--json",
	}
	r := runProgram(t, nil, args...)
	var said drafted
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil || r.code != exitOK || len(said.Written) != 8 || len(said.Open) == 0 {
		t.Fatalf("code %d: %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	for _, file := range said.Written {
		if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
			t.Error(err)
		}
	}
	if lint := runProgram(t, nil, "contracts", "lint", "--folder", folder); lint.code != exitFound || !strings.Contains(lint.stdout, "(undecided)") {
		t.Errorf("lint: %+v", lint)
	}
	if again := runProgram(t, nil, args...); again.code != exitFailed || !strings.Contains(again.stderr, "is not overwritten") || again.lastLine() != "contracts new --help" {
		t.Errorf("again: %+v", again)
	}
	text := runProgram(t, nil, "contracts", "new", "topic", "post.letter.events.v1", "--folder", folder, "--owner", "parcel-service", "--key", "letterId")
	if text.code != exitOK || !strings.Contains(text.stdout, "wrote "+filepath.Join(folder, "events/post.letter.events/topic.yaml")) ||
		!strings.Contains(text.stdout, "yours to decide:\n") || !strings.HasSuffix(text.stdout, "contracts lint --folder "+folder+"\n") {
		t.Errorf("a topic: %+v", text)
	}
	titled := runProgram(t, nil, "contracts", "generate", "markdown", "--folder", folder, "--out", filepath.Join(folder, "..", "docs"))
	if page, err := os.ReadFile(filepath.Join(folder, "..", "docs", "README.md")); titled.code != exitOK || !strings.HasPrefix(string(page), "# parcels: events\n") {
		t.Errorf("its documents are titled %.60s (%v, %+v)", page, err, titled)
	}
}

func TestNewRefusesWhatItCannotDraft(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "contracts")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, args string
		code       int
		want       string
	}{
		{"no folder", "event ParcelHandedOver --topic post.parcel.events.v1", exitUsage, "--folder: is required"},
		{"a folder that is a file", "event ParcelHandedOver --topic post.parcel.events.v1 --folder " + file, exitUsage, "is no folder"},
		{"no topic", "event ParcelHandedOver --folder " + folder, exitUsage, "--topic: is required"},
		{"a way out", "event ../../Parcel --topic post.parcel.events.v1 --folder " + folder, exitFailed, "no name of one"},
		{"a command", "event DeliverParcel --topic post.parcel.events.v1 --owner parcel-service --address https://example.org/c --folder " + folder, exitFailed, "ParcelDelivered"},
		{"a field of no type", "event ParcelHandedOver --topic post.parcel.events.v1 --field a:money --folder " + folder, exitUsage, "none of boolean"},
		{"a reader of no form", "event ParcelHandedOver --topic post.parcel.events.v1 --reader x --folder " + folder, exitUsage, "it is no group"},
		{"a topic of no form", "topic ../x --owner parcel-service --key parcelId --folder " + folder, exitFailed, "no name of one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runProgram(t, nil, append([]string{"contracts", "new"}, strings.Fields(tt.args)...)...)
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("want %d %q, got %+v", tt.code, tt.want, r)
			}
			if _, err := os.Stat(folder); err == nil {
				t.Error("it made the folder")
			}
		})
	}
}
