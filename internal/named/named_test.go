package named_test

import (
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// What pgx does with a text is the measure, also where a name is repeated,
// missing, or only looks like one.
func TestArgsAreThoseOfPgx(t *testing.T) {
	t.Parallel()
	values := map[string]any{"id": "q_1", "ids": []string{"a"}, "n": 3}
	for _, sql := range []string{
		"SELECT 1",
		"SELECT @id, @n, @id",
		"SELECT @id::text, @ids::text[] @> ARRAY[@id] -- not @n here",
		"SELECT '@id', \"@id\", E'\\'@id', $$@id$$, @n /* @id */",
		"SELECT @missing, @n",
		"SELECT a@b, @id",
	} {
		for range 2 { // read, then remembered
			wantText, wantArgs, wantErr := pgx.NamedArgs(values).RewriteQuery(t.Context(), nil, sql, nil)
			text, args, err := named.Args(values).RewriteQuery(t.Context(), nil, sql, nil)
			if text != wantText || !reflect.DeepEqual(args, wantArgs) && len(args)+len(wantArgs) > 0 || (err == nil) != (wantErr == nil) {
				t.Errorf("%s:\ngot  %s %v %v\nwant %s %v %v", sql, text, args, err, wantText, wantArgs, wantErr)
			}
		}
	}
}

func TestArgsAreNotRememberedWithTheText(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "b"} {
		_, args, err := named.Args{"id": id}.RewriteQuery(t.Context(), nil, "SELECT @id AS other", nil)
		if err != nil || len(args) != 1 || args[0] != id {
			t.Errorf("got %v %v, want %s", args, err, id)
		}
	}
}
