package generate_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/contract"
	"factline.dev/contract/generate"
)

// A field of a map's values was not found by its path, and its reader got nothing of
// them.
func TestAReaderGetsTheFieldOfAMapsValues(t *testing.T) {
	t.Parallel()
	const paid = "events/shop.basket.events/BasketPaid/"
	root, files := os.DirFS("../lint/testdata/shop"), fstest.MapFS{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			text, readErr := fs.ReadFile(root, path)
			files[path], err = &fstest.MapFile{Data: text}, readErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range [][3]string{
		{paid + "v1.schema.json", `"contactName": {`, `"prices": {"type": "object", "additionalProperties": {"type": "object", "properties": {"gross": {"type": "string"}, "net": {"type": "string"}}}}, "contactName": {`},
		{paid + "event.yaml", "reads: [basketId, total]", `reads: [basketId, "prices.*.gross"]`},
	} {
		text := strings.Replace(string(files[edit[0]].Data), edit[1], edit[2], 1)
		files[edit[0]] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	text, err := generate.Go(c, generate.Config{Service: "mail-service"})
	if err != nil || !strings.Contains(string(text), `json:"gross`) || strings.Contains(string(text), `json:"net`) {
		t.Errorf("%v\n%s", err, text)
	}
}
