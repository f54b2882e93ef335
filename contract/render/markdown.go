package render

import (
	"bytes"
	"embed"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"factline.dev/contract"
)

//go:embed templates
var templates embed.FS

// Markdown writes the catalogue as Markdown, by path: README.md with all topics,
// events and services, topics/<topic>.md and events/<type>.md. The dialect is
// that of the common forges (tables, and Mermaid for who sends and reads).
func Markdown(c *contract.Catalogue, info Info) (map[string][]byte, error) {
	pages, err := template.New("markdown").Funcs(template.FuncMap{
		"text": markdownText, "cell": markdownCell, "code": markdownCode, "fence": fence, "node": mermaidText, "join": strings.Join,
	}).ParseFS(templates, "templates/*.md")
	if err != nil {
		return nil, fmt.Errorf("render: read the Markdown templates: %w", err)
	}
	return newBook(c, info).write(".md", "README", func(name string, data any) ([]byte, error) {
		var text bytes.Buffer
		err := pages.ExecuteTemplate(&text, name, data)
		return append(bytes.TrimRight(tightened(text.Bytes()), "\n"), '\n'), err
	})
}

// write makes every page with a template per kind.
func (b *book) write(suffix, index string, page func(template string, data any) ([]byte, error)) (map[string][]byte, error) {
	files := map[string][]byte{}
	add := func(file, template string, data any) error {
		text, err := page(template+suffix, data)
		if err != nil {
			return fmt.Errorf("render: write %s: %w", file, err)
		}
		files[file+suffix] = text
		return nil
	}
	if err := add(index, "index", b); err != nil {
		return nil, err
	}
	for _, t := range b.Topics {
		if err := add("topics/"+t.Name, "topic", t); err != nil {
			return nil, err
		}
	}
	for _, e := range b.Events {
		if err := add("events/"+e.Type, "event", e); err != nil {
			return nil, err
		}
	}
	return files, nil
}

var blankLines = regexp.MustCompile(`\n{3,}`)

// tightened leaves one blank line where a template leaves several.
func tightened(text []byte) []byte { return blankLines.ReplaceAll(text, []byte("\n\n")) }

// special are the characters that Markdown, or HTML inside it, could take for
// its own.
var special = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|~!&]")

// markdownText writes any text as one line that stands for nothing but itself.
func markdownText(s string) string {
	return special.ReplaceAllString(strings.Join(strings.Fields(s), " "), `\$0`)
}

// markdownCell is [markdownText] with a dash for nothing, so that a table has no
// hole.
func markdownCell(s string) string {
	if text := markdownText(s); text != "" {
		return text
	}
	return "-"
}

// markdownCode writes a name as code. Names hold no backtick, and one that does
// must not end the code early.
func markdownCode(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "/", "\n", " ").Replace(s) + "`"
}

// fence writes a block that no content can close.
func fence(language, text string) string {
	bar := "```"
	for strings.Contains(text, bar) {
		bar += "`"
	}
	return bar + language + "\n" + strings.TrimRight(text, "\n") + "\n" + bar
}

// mermaidText writes a label of a Mermaid node.
func mermaidText(s string) string {
	return strings.NewReplacer(`"`, "'", "<", "(", ">", ")", "&", "and", "#", "", ";", ",", "`", "'").Replace(strings.Join(strings.Fields(s), " "))
}
