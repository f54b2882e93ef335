package devstack

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// These change PATH and so cannot run beside others.

func TestKafkaWithoutJavaSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := StartKafka(t.Context(), KafkaConfig{Cache: t.TempDir()})
	mustContain(t, err, "install Java 17", "embedded broker")
}

func TestKafkaWithoutMavenSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cache := t.TempDir()
	_, err := KafkaJars(t.Context(), cache)
	mustContain(t, err, "install Maven", "embedded broker")
	nothingInstalled(t, cache)
}

func TestKafkaFetchThatFailsInstallsNothing(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	script := "#!/bin/sh\necho 'Could not transfer artifact'\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "mvn"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	_, err := KafkaJars(t.Context(), cache)
	mustContain(t, err, "with Maven", "Could not transfer artifact")
	nothingInstalled(t, cache)
}

func TestKafkaNamesThePortInUse(t *testing.T) { //nolint:paralleltest // t.Setenv forbids it
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k := &Kafka{cfg: KafkaConfig{Dir: t.TempDir()}, port: l.Addr().(*net.TCPAddr).Port}
	if err := k.prepare(); !errors.Is(err, ErrPortInUse) {
		t.Errorf("%v is not ErrPortInUse", err)
	}
}
