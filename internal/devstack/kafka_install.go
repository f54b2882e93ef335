package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"factline.dev/deploy/kafka"
)

const mavenPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// KafkaJars returns the folder of Apache Kafka's jars, fetching them with Maven
// first if need be, for those who only want its tools: its class path is the
// folder + "/*". cache "" means [CacheDir].
func KafkaJars(ctx context.Context, cache string) (string, error) {
	return installKafka(ctx, KafkaConfig{Cache: cache}.WithDefaults())
}

// installKafka names the folder after the project file, so a change of either
// never meets old jars, and shows it by one rename.
func installKafka(ctx context.Context, cfg KafkaConfig) (string, error) {
	cache := cfg.Cache
	if cache == "" {
		var err error
		if cache, err = CacheDir(); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256(kafka.POM)
	dir := filepath.Join(cache, fmt.Sprintf("kafka-%s-%s", kafka.Version, hex.EncodeToString(sum[:4])))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := makeDir(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := lockWait(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer lock.release()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	cfg.Logger.Info("fetching apache kafka with maven", "folder", dir)
	return dir, fetchJars(ctx, dir)
}

func fetchJars(ctx context.Context, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("devstack: fetch Apache Kafka: %w; install Maven (Debian: apt-get install maven), or use the embedded broker", err)
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("devstack: remove a broken installation: %w; remove %s by hand", err, part)
	}
	defer os.RemoveAll(part)
	if err := makeDir(part, 0o755); err != nil {
		return err
	}
	pom := filepath.Join(part, "pom.xml")
	if err := os.WriteFile(pom, kafka.POM, 0o644); err != nil {
		return diskError("write "+pom, pom, err)
	}
	if err := runMaven(ctx, mvn, pom, part); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		return diskError("install Apache Kafka to "+dir, dir, err)
	}
	return nil
}

// runMaven has Maven refuse files whose checksum is wrong; by itself it warns.
func runMaven(ctx context.Context, mvn, pom, to string) error {
	cmd := exec.Command(mvn, "--batch-mode", "--quiet", "--strict-checksums", "--file", pom,
		mavenPlugin, "-DoutputDirectory="+to, "-DincludeScope=runtime")
	if out, err := runHelper(ctx, cmd, account{}); err != nil {
		return fmt.Errorf("devstack: fetch Apache Kafka %s with Maven: %w; check the network and Maven's settings.xml; it said:\n%s",
			kafka.Version, err, lastLines(out, 8))
	}
	return nil
}
