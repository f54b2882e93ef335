package secret_test

import (
	"strings"
	"testing"

	"factline.dev/cmd/factline/internal/secret"
)

func TestCleanFindsSecretsByTheirForm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"a database URL", "connect postgres://up:hunter2@db:5432/x failed", "connect postgres://up:***@db:5432/x failed"},
		{"a password with unescaped signs", "postgresql://up:a/b@c?d#e@db/x", "postgresql://up:***@db/x"},
		{"a URL without a user", "postgres://:hunter2@db/x", "postgres://:***@db/x"},
		{"any other URL", `"https://bot:tok3n@example.net/a"`, `"https://bot:***@example.net/a"`},
		{"a connection string", "host=db password=hunter2 user=up", "host=db password=*** user=up"},
		{"a quoted password", "PASSWORD = 'two words' user=up", "PASSWORD = *** user=up"},
		{"a password in a query", "postgres://db/x?user=up&password=hunter2&sslmode=off", "postgres://db/x?user=up&password=***&sslmode=off"},
		{"no secret at all", "http://127.0.0.1:8080/quotes/q_1 took 3ms", "http://127.0.0.1:8080/quotes/q_1 took 3ms"},
		{"an address with an at sign in its path", "http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := (&secret.Scrubber{}).Clean(tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCleanFindsWhatItLearned(t *testing.T) {
	t.Parallel()
	var s secret.Scrubber
	s.LearnURL("postgres://up:hun%2Fter%402x@db/x")
	s.Learn("abc")
	var b strings.Builder
	w := s.Writer(&b)
	const text = `the role said "hun/ter@2x", escaped hun%2Fter%402x; abc stays`
	if n, err := w.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if want := `the role said "***", escaped ***; abc stays`; b.String() != want {
		t.Errorf("got %s", b.String())
	}
}
