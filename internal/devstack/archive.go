package devstack

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strings"
)

const (
	// PostgresVersion is the version of the pinned server binaries.
	PostgresVersion = "18.6.0"

	// mavenURL is where the binaries come from; FACTLINE_MAVEN_URL names a mirror.
	mavenURL = "https://repo1.maven.org/maven2"

	zonky = "io/zonky/test/postgres/embedded-postgres-binaries-"
)

type archive struct {
	platform string
	sha256   string
	base     string // Maven repository
}

func archiveFor(goos, goarch, base string) (archive, error) {
	switch goos + "/" + goarch {
	case "linux/amd64":
		return archive{"linux-amd64", "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1", base}, nil
	case "linux/arm64":
		return archive{"linux-arm64v8", "5f54e016723afa6213925a8acb939bac52944b1d348f65c7a20f0cd2928c31be", base}, nil
	case "darwin/amd64":
		return archive{"darwin-amd64", "690941008aac9ee360820fde9bb7870a4f3dcac5e9e2f9e45e42333a436ad0f9", base}, nil
	case "darwin/arm64":
		return archive{"darwin-arm64v8", "8f6ed6f38195b50a40712ada8b2a12060b6193c1a6977a6eb5cff053bb5a1b89", base}, nil
	}
	return archive{}, fmt.Errorf("devstack: choose PostgreSQL binaries for %s/%s: %w; start a PostgreSQL %s yourself and pass --postgres URL (tests: FACTLINE_POSTGRES=URL)",
		goos, goarch, ErrUnsupported, majorVersion())
}

func thisArchive() (archive, error) {
	return archiveFor(runtime.GOOS, runtime.GOARCH, cmp.Or(os.Getenv("FACTLINE_MAVEN_URL"), mavenURL))
}

func (a archive) url() string {
	return fmt.Sprintf("%s/%s%s/%s/%s", strings.TrimRight(a.base, "/"), zonky, a.platform, PostgresVersion, a.file())
}

func (a archive) file() string {
	return fmt.Sprintf("embedded-postgres-binaries-%s-%s.jar", a.platform, PostgresVersion)
}

// folder carries a piece of the checksum, so a new pin never meets old files.
func (a archive) folder() string {
	return fmt.Sprintf("postgres-%s-%s-%s", PostgresVersion, a.platform, a.sha256[:8])
}

func majorVersion() string {
	major, _, _ := strings.Cut(PostgresVersion, ".")
	return major
}
