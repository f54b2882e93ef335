package benchmark

import "embed"

//go:embed sql/*.sql
var statements embed.FS

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("benchmark: unknown statement " + name)
	}
	return string(text)
}
