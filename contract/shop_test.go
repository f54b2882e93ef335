package contract_test

import (
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"factline.dev/contract"
	"factline.dev/platform/contracts"
)

const (
	basketTopic = "events/shop.basket.events/topic.yaml"
	paidEvent   = "events/shop.basket.events/BasketPaid/event.yaml"
	paidSchema  = "events/shop.basket.events/BasketPaid/v1.schema.json"
)

// shop is a small contracts folder in memory, free to be broken.
func shop(t testing.TB) fstest.MapFS {
	t.Helper()
	root, files := os.DirFS("lint/testdata/shop"), fstest.MapFS{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func replace(t testing.TB, files fstest.MapFS, file, old, new string) {
	t.Helper()
	if files[file] == nil || !strings.Contains(string(files[file].Data), old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	files[file].Data = []byte(strings.Replace(string(files[file].Data), old, new, 1))
}

func loadShop(t testing.TB) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// platformCatalogue is loaded once: it is large, and nobody can change it.
var platformCatalogue = sync.OnceValues(func() (*contract.Catalogue, error) { return contract.Load(contracts.FS()) })

func loadPlatform(t testing.TB) *contract.Catalogue {
	t.Helper()
	c, err := platformCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func example(t testing.TB, c *contract.Catalogue, eventType, name string) []byte {
	t.Helper()
	e, ok := c.Event(eventType, 1)
	if !ok {
		t.Fatalf("no %s", eventType)
	}
	x, ok := e.Example(name)
	if !ok {
		t.Fatalf("no %s example of %s", name, eventType)
	}
	return x.Value
}
