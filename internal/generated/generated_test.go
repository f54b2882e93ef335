package generated_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"factline.dev/internal/generated"
)

func TestAFileOutOfDateIsNamedWithItsFirstDifference(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		old, now []byte
		want     string
	}{
		{"a line changed", []byte("a\nb\n"), []byte("a\nc\n"), `line 2 is "b", the source says "c"`},
		{"a line is new", []byte("a"), []byte("a\nb"), `line 2 is "", the source says "b"`},
		{"the file is missing", nil, []byte("a"), `line 1 is "", the source says "a"`},
		{"the file must go", []byte("a"), nil, `line 1 is "a", the source says ""`},
		{"the same", []byte("a"), []byte("a"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			file := filepath.Join("below", "file")
			if tt.old != nil {
				if err := errors.Join(os.Mkdir(filepath.Join(root, "below"), 0o755), os.WriteFile(filepath.Join(root, file), tt.old, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			files := []generated.File{{Path: file, Text: tt.now}}
			err := generated.Place(root, files, true)
			if errors.Is(err, generated.ErrOutdated) != (tt.want != "") || tt.want != "" && !strings.Contains(err.Error(), file+" is out of date: "+tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
			if left, _ := os.ReadFile(filepath.Join(root, file)); string(left) != string(tt.old) {
				t.Errorf("a check wrote %q", left)
			}
			if err := errors.Join(generated.Place(root, files, false), generated.Place(root, files, true)); err != nil {
				t.Errorf("what was written is not up to date: %v", err)
			}
		})
	}
}
