package generate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"factline.dev/contract"
	"factline.dev/contract/generate"
)

// program is generated code, compiled and running: it answers what it makes of
// events.
type program struct {
	in  io.Writer
	out *json.Decoder
}

type question struct {
	Event string
	Value []byte
}

// answer is what a generated function says: the payload as it writes it again, or
// the error.
type answer struct {
	Payload json.RawMessage
	Field   string
	Error   string
}

// start compiles the types of services in a package that exists only for the
// compiler, within this module.
func start(t *testing.T, c *contract.Catalogue, configs ...generate.Config) *program {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	place := func(path string, text []byte) {
		real := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(real, text, 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, "probe", filepath.FromSlash(path))] = real
	}
	for _, cfg := range configs {
		text, err := generate.Go(c, cfg)
		if err != nil {
			t.Fatal(err)
		}
		place(cfg.WithDefaults().Package+"/event_gen.go", text)
	}
	place("main.go", mainText(c, configs))
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-N -l", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "./probe")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return run(t, binary)
}

func run(t *testing.T, binary string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &program{in: in, out: json.NewDecoder(bufio.NewReader(out))}
}

func (p *program) ask(t *testing.T, service string, e *contract.Event, value []byte) answer {
	t.Helper()
	text, err := json.Marshal(question{Event: key(service, e), Value: value})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := p.out.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

func key(service string, e *contract.Event) string {
	return fmt.Sprintf("%s/%s/%d", service, e.Type, e.Version)
}

// mainText is the main package around generated ones.
func mainText(c *contract.Catalogue, configs []generate.Config) []byte {
	var imports, cases bytes.Buffer
	for _, cfg := range configs {
		pkg, used := cfg.WithDefaults().Package, false
		for _, e := range c.Events() {
			if !concerns(e, cfg) {
				continue
			}
			used = true
			fmt.Fprintf(&cases, "case %q:\n\te, err := %s.Decode%s(q.Value)\n\tanswer(e.Payload, err)\n", key(cfg.Service, e), pkg, e.Type)
		}
		if used {
			fmt.Fprintf(&imports, "%q\n", "factline.dev/contract/generate/probe/"+pkg)
		}
	}
	return fmt.Appendf(nil, `package main

import (
	"encoding/json"
	"errors"
	"os"

	"factline.dev/envelope"
	%s
)

var out = json.NewEncoder(os.Stdout)

func answer(payload any, err error) {
	var a struct {
		Payload      json.RawMessage
		Field, Error string
	}
	var bad *envelope.DecodeError
	switch {
	case errors.As(err, &bad):
		a.Field, a.Error = bad.Field, bad.Error()
	case err != nil:
		panic(err)
	default:
		if a.Payload, err = json.Marshal(payload); err != nil {
			panic(err)
		}
	}
	if err := out.Encode(a); err != nil {
		panic(err)
	}
}

func main() {
	in := json.NewDecoder(os.Stdin)
	for {
		var q struct {
			Event string
			Value []byte
		}
		if in.Decode(&q) != nil {
			return
		}
		switch q.Event {
		%s
		default:
			panic(q.Event)
		}
	}
}
`, imports.Bytes(), cases.Bytes())
}

func concerns(e *contract.Event, cfg generate.Config) bool {
	for _, reader := range e.Consumers {
		if reader.Service == cfg.Service {
			return true
		}
	}
	return e.OwnerService == cfg.Service
}
