package wire

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// Pattern is a regular expression that tries the cheap way first: most patterns
// of a contract are a few runs of characters from end to end, and the machine
// of package regexp is the dearest part of a validation.
type Pattern struct {
	regexp *regexp.Regexp
	runs   []run // nil when the pattern has another form
}

// run is between min and max characters of a class.
type run struct {
	class    [2]uint64 // a bit for each ASCII character
	min, max int       // max -1 for any number
}

// NewPattern returns the pattern of an expression.
func NewPattern(re *regexp.Regexp) *Pattern { return &Pattern{regexp: re, runs: runsOf(re.String())} }

// Match reports whether text matches. It takes as much as it can in every run. Where that leads to the end the
// pattern matches, beyond doubt; where it does not, another way may.
func (p *Pattern) Match(text []byte) bool {
	return p.runs != nil && matchRuns(p.runs, text) || p.regexp.Match(text)
}

func matchRuns(runs []run, text []byte) bool {
	at := 0
	for i := range runs {
		n := runs[i].length(text[at:])
		if n < runs[i].min {
			return false
		}
		at += n
	}
	return at == len(text)
}

func (r *run) length(text []byte) int {
	n := 0
	for n < len(text) && n != r.max && r.holds(text[n]) {
		n++
	}
	return n
}

func (r *run) holds(c byte) bool { return c < utf8.RuneSelf && r.class[c>>6]>>(c&63)&1 != 0 }

// runsOf returns the runs of a pattern such as ^[A-Z]{2}-[0-9]+$, and nil for
// one that is not made of runs from its beginning to its end.
func runsOf(expression string) []run {
	parsed, err := syntax.Parse(expression, syntax.Perl) // as regexp.Compile does
	if err != nil || parsed.Op != syntax.OpConcat {
		return nil
	}
	parts := parsed.Sub
	last := len(parts) - 1
	if last < 2 || parts[0].Op != syntax.OpBeginText || parts[last].Op != syntax.OpEndText {
		return nil
	}
	var runs []run
	for _, part := range parts[1:last] {
		more := partRuns(part)
		if more == nil {
			return nil
		}
		runs = append(runs, more...)
	}
	return runs
}

func partRuns(part *syntax.Regexp) []run {
	var least, most int
	switch part.Op {
	case syntax.OpQuest:
		least, most = 0, 1
	case syntax.OpStar:
		least, most = 0, -1
	case syntax.OpPlus:
		least, most = 1, -1
	case syntax.OpRepeat:
		least, most = part.Min, part.Max
	default:
		return oneByOne(part)
	}
	inner := oneByOne(part.Sub[0])
	if len(inner) != 1 {
		return nil
	}
	inner[0].min, inner[0].max = least, most
	return inner
}

// oneByOne returns a run of length one for each character of a literal or class.
func oneByOne(part *syntax.Regexp) []run {
	var runs []run
	switch part.Op {
	case syntax.OpCharClass:
		return []run{single(part.Rune)}
	case syntax.OpLiteral:
		for _, r := range part.Rune {
			runs = append(runs, single([]rune{r, r}))
		}
	}
	return runs
}

// single makes a run of pairs of first and last character. It leaves out what is
// not ASCII, and oneByOne the other case of a letter under (?i): a run that holds
// less than it might is never wrong.
func single(pairs []rune) run {
	r := run{min: 1, max: 1}
	for i := 0; i+1 < len(pairs); i += 2 {
		for c := pairs[i]; c <= pairs[i+1] && c < utf8.RuneSelf; c++ {
			r.class[c>>6] |= 1 << (c & 63)
		}
	}
	return r
}
