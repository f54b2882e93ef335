package benchmark

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	width, row, top     = 760, 30, 48
	labels, bars, limit = 190, 430, labels + 430
)

// picture is what a benchmark measured in one unit.
type picture struct {
	file, benchmark, unit string
	results               []Result
}

// pictures are those of some results, in their order. Ratios have none.
func pictures(results []Result) []*picture {
	var all []*picture
	for _, r := range results {
		unit, suffix := r.Unit, "-"+strings.ToLower(r.Unit)
		if strings.HasSuffix(unit, "/s") {
			unit, suffix = "per second", ""
		}
		if unit == "ratio" {
			continue
		}
		at := slices.IndexFunc(all, func(p *picture) bool { return p.benchmark == r.Benchmark && p.unit == unit })
		if at < 0 {
			at = len(all)
			all = append(all, &picture{file: r.Benchmark + suffix + ".svg", benchmark: r.Benchmark, unit: unit})
		}
		all[at].results = append(all[at].results, r)
	}
	return all
}

// svg draws each result as a bar to its median and a line from its least to its
// greatest value. The scale is logarithmic, for they differ by orders of magnitude.
func (p *picture) svg() []byte {
	c := newScale(p.results)
	height := top + row*len(p.results) + 34
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	title := escape(p.benchmark + ": " + p.unit)
	fmt.Fprintf(&b, `<title>%s</title>`+"\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", title)
	fmt.Fprintf(&b, `<text x="12" y="26" font-size="16" fill="#222">%s (logarithmic), median and range of %d runs</text>`+"\n", title, p.results[0].Runs)
	c.grid(&b, height)
	for i, r := range p.results {
		c.bar(&b, r, top+row*i)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// scale maps values to the picture, in whole powers of ten.
type scale struct{ from, to float64 }

func newScale(results []Result) scale {
	c := scale{math.Inf(1), math.Inf(-1)}
	for _, r := range results {
		c.from = min(c.from, math.Floor(math.Log10(r.Min)))
		c.to = max(c.to, math.Ceil(math.Log10(r.Max)))
	}
	c.to = max(c.to, c.from+1)
	return c
}

func (c scale) x(value float64) float64 {
	return labels + bars*(math.Log10(value)-c.from)/(c.to-c.from)
}

func (c scale) grid(b *strings.Builder, height int) {
	for power := c.from; power <= c.to; power++ {
		value := math.Pow(10, power)
		fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666">%s</text>`+"\n",
			c.x(value), top-6, height-28, c.x(value), height-12, axis(value))
	}
}

func (c scale) bar(b *strings.Builder, r Result, y int) {
	colour := "#1f6feb"
	if isCompared(r.Subject) {
		colour = "#9aa5b1"
	}
	middle := y + 10
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#222">%s</text>`, labels-8, y+15, escape(r.Subject))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="20" fill="%s"/>`, labels, y, c.x(r.Median)-labels, colour)
	fmt.Fprintf(b, `<path d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8" stroke="#222" fill="none"/>`,
		c.x(r.Min), middle, c.x(r.Max), c.x(r.Min), middle-4, c.x(r.Max), middle-4)
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#222">%s</text>`+"\n", limit+12, y+15, number(r.Median))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// axis writes a power of ten.
func axis(value float64) string {
	if value < 1 {
		return fmt.Sprint(value)
	}
	return thousands(int64(math.Round(value)))
}
