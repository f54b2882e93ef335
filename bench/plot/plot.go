// Package plot draws results as SVG.
package plot

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"factline.dev/internal/benchmark"
)

const (
	width, row, top     = 760, 30, 48
	labels, bars, limit = 190, 430, labels + 430
)

// Write draws the rates of one benchmark, each a bar to its median and a line
// from its least to its greatest value. The scale is logarithmic, for rates
// differ by orders of magnitude.
func Write(w io.Writer, name string, results []benchmark.Result) error {
	var rates []benchmark.Result
	for _, r := range results {
		if r.Benchmark == name && r.Unit == "events/s" && !strings.HasPrefix(r.Subject, "raw_") {
			rates = append(rates, r)
		}
	}
	if len(rates) == 0 {
		return fmt.Errorf("bench: plot %s: the results hold none of its rates; measure it with: go run . %s --json", name, name)
	}
	slices.SortStableFunc(rates, func(a, b benchmark.Result) int { return int(math.Copysign(1, b.Median-a.Median)) })
	c := newScale(rates)
	height := top + row*len(rates) + 34
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<title>%s: events per second</title>`+"\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", escape(name))
	fmt.Fprintf(&b, `<text x="12" y="26" font-size="16" fill="#222">%s: events per second (logarithmic), median and range of %d runs</text>`+"\n", escape(name), rates[0].Runs)
	c.grid(&b, height)
	for i, r := range rates {
		c.bar(&b, r, top+row*i)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// scale maps rates to the picture, in whole powers of ten.
type scale struct{ from, to float64 }

func newScale(rates []benchmark.Result) scale {
	c := scale{math.Inf(1), math.Inf(-1)}
	for _, r := range rates {
		c.from = min(c.from, math.Floor(math.Log10(r.Min)))
		c.to = max(c.to, math.Ceil(math.Log10(r.Max)))
	}
	return c
}

func (c scale) x(rate float64) float64 {
	return labels + bars*(math.Log10(rate)-c.from)/(c.to-c.from)
}

func (c scale) grid(b *strings.Builder, height int) {
	for power := c.from; power <= c.to; power++ {
		rate := math.Pow(10, power)
		fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666">%.0f</text>`+"\n",
			c.x(rate), top-6, height-28, c.x(rate), height-12, rate)
	}
}

func (c scale) bar(b *strings.Builder, r benchmark.Result, y int) {
	colour := "#9aa5b1"
	if strings.HasPrefix(r.Subject, "ours") {
		colour = "#1f6feb"
	}
	middle := y + 10
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#222">%s</text>`, labels-8, y+15, escape(r.Subject))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="20" fill="%s"/>`, labels, y, c.x(r.Median)-labels, colour)
	fmt.Fprintf(b, `<path d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8" stroke="#222" fill="none"/>`,
		c.x(r.Min), middle, c.x(r.Max), c.x(r.Min), middle-4, c.x(r.Max), middle-4)
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#222">%.0f</text>`+"\n", limit+12, y+15, r.Median)
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
