package render

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Table is rows under a line of names. Its zero value is not usable; make one
// with [NewTable].
type Table struct {
	names []string
	rows  [][]cell
}

type cell struct {
	text   string
	number bool
}

const between = "  "

// NewTable names the columns.
func NewTable(columns ...string) *Table { return &Table{names: columns} }

// Row adds a row. Times are printed in UTC with milliseconds, durations by
// [Duration], floats with one digit, nil and empty text as "-". Missing cells
// are empty, further ones are dropped.
func (t *Table) Row(values ...any) {
	row := make([]cell, len(t.names))
	for i := range min(len(values), len(row)) {
		row[i] = newCell(values[i])
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

func newCell(value any) cell {
	switch v := value.(type) {
	case nil:
		return cell{text: "-"}
	case int, int16, int32, int64, uint64:
		return cell{fmt.Sprint(v), true}
	case float64:
		return cell{fmt.Sprintf("%.1f", v), true}
	case time.Duration:
		return cell{Duration(v), true}
	case time.Time:
		return cell{text: Time(v)}
	case *time.Time:
		if v == nil {
			return cell{text: "-"}
		}
		return cell{text: Time(*v)}
	}
	text := Safe(fmt.Sprint(value))
	if text == "" {
		text = "-"
	}
	return cell{text: text}
}

// WriteTo writes the table in one Write. Columns of numbers stand to the right.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	widths, numbers := t.measure()
	names := make([]cell, len(t.names))
	for i, name := range t.names {
		names[i].text = name
	}
	for _, row := range append([][]cell{names}, t.rows...) {
		b.WriteString(strings.TrimRight(line(row, widths, numbers), " ") + "\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (t *Table) measure() (widths []int, numbers []bool) {
	widths, numbers = make([]int, len(t.names)), make([]bool, len(t.names))
	for i, name := range t.names {
		widths[i] = width(name)
		some, all := false, true
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i].text))
			some = some || row[i].number
			all = all && (row[i].number || row[i].text == "-")
		}
		numbers[i] = some && all
	}
	return widths, numbers
}

func line(row []cell, widths []int, numbers []bool) string {
	parts := make([]string, len(row))
	for i, c := range row {
		pad := strings.Repeat(" ", widths[i]-width(c.text))
		if numbers[i] {
			parts[i] = pad + c.text
		} else {
			parts[i] = c.text + pad
		}
	}
	return strings.Join(parts, between)
}

func width(text string) int { return utf8.RuneCountInString(text) }
