package benchmark

import (
	"fmt"
	"path"
	"strings"
)

// aim is a figure that a subject is to reach.
type aim struct {
	// what says it in words; subject is a pattern of path.Match.
	what, benchmark, subject string
	limit                    float64
	// atMost says on which side of the limit is good.
	atMost bool
	// where says where else it is measured, if these results lack it.
	where string
}

// beside is the run that measures peers.
const beside = "the table of bench/README.md"

func aims() []aim {
	return []aim{
		{what: "relay, events/s", benchmark: "relay", subject: "ours", limit: 120_000},
		{what: "relay, times the batch with SKIP LOCKED, whose one worker keeps the order of a key", benchmark: "relay", subject: "ours/skip_locked", limit: 3},
		{what: "relay, times Debezium", benchmark: "relay", subject: "ours/debezium*", limit: 2.5, where: beside},
		{what: "relay, times Watermill", benchmark: "relay", subject: "ours/watermill*", limit: 40, where: beside},
		{what: "relay, times the textbook", benchmark: "relay", subject: "ours/textbook", limit: 60},
		{what: "relay, of what raw read and raw produce leave each other", benchmark: "relay", subject: "ours/raw_both", limit: 0.8},
		{what: "consumer with a bulk handler, events/s", benchmark: "consumer", subject: "ours", limit: 50_000},
		{what: "consumer with a handler called per event, events/s", benchmark: "consumer", subject: "ours_single", limit: 25_000},
		{what: "consumer, times Spring Kafka in batches, which has no gate", benchmark: "consumer", subject: "ours/spring_batch*", limit: 1.3, where: beside},
		{what: "insert to effect at 100/s, median, ms", benchmark: "latency", subject: "wakeup_100_p50", limit: 5, atMost: true},
		{what: "insert to effect at 100/s, 99 of 100, ms", benchmark: "latency", subject: "wakeup_100_p99", limit: 25, atMost: true},
		{what: "insert to effect at 1,000/s, median, ms", benchmark: "latency", subject: "wakeup_1000_p50", limit: 8, atMost: true},
		{what: "quote accepted to order captured at 100/s, median, ms", benchmark: "latency", subject: "accept_100_p50", limit: 10, atMost: true},
		{what: "quote accepted to order captured at 100/s, 99 of 100, ms", benchmark: "latency", subject: "accept_100_p99", limit: 50, atMost: true},
		{what: "transaction with an append, times the same with a plain INSERT", benchmark: "append", subject: "plain_insert_*/ours_[0-9]", limit: 1.3, atMost: true},
		{what: "drain, of what an empty outbox reaches", benchmark: "growth", subject: "drain_*/drain_0", limit: 0.9},
		{what: "latency, times that of an empty outbox", benchmark: "growth", subject: "p50_*/p50_0", limit: 1.1, atMost: true},
		{what: "decoding and validating an event of 1 KB, µs", benchmark: "contract", subject: "decode_validate", limit: 10, atMost: true},
		{what: "`factline up` to the first completed order, s", benchmark: "start", subject: "first_order", limit: 15, atMost: true},
		{what: "other keys' 99 of 100 beside an event in its retry chain, times undisturbed", benchmark: "isolation", subject: "disturbed_p99/undisturbed_p99", limit: 2, atMost: true},
		{what: "largest memory with ten times the backlog, times that with one", benchmark: "memory", subject: "*_10x/*_1x", limit: 1.25, atMost: true},
	}
}

// aimsMarkdown is a table of the aims of whatever was measured.
func aimsMarkdown(results []Result) string {
	var b strings.Builder
	for _, a := range aims() {
		b.WriteString(a.rows(results))
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n### aims\n\n| aim | | measured as | median | worst | |\n| --- | ---: | --- | ---: | ---: | --- |\n" + b.String()
}

// rows are one for each subject that the aim is about.
func (a aim) rows(results []Result) string {
	var b strings.Builder
	sign, known := "≥", false
	if a.atMost {
		sign = "≤"
	}
	for _, r := range results {
		if r.Benchmark != a.benchmark {
			continue
		}
		known = true
		if ok, _ := path.Match(a.flat(), strings.ReplaceAll(r.Subject, "/", ":")); ok {
			worst, verdict := a.judge(r)
			fmt.Fprintf(&b, "| %s | %s %s | %#q | %s | %s | %s |\n", a.what, sign, limitText(a.limit), r.Benchmark+" "+r.Subject, number(r.Median), number(worst), verdict)
		}
	}
	if b.Len() == 0 && known && a.where != "" {
		fmt.Fprintf(&b, "| %s | %s %s | | | | %s |\n", a.what, sign, limitText(a.limit), "see "+a.where)
	}
	return b.String()
}

// flat is the pattern for names without a slash, which a star would not match.
func (a aim) flat() string { return strings.ReplaceAll(a.subject, "/", ":") }

func limitText(limit float64) string {
	if limit >= 1000 {
		return number(limit)
	}
	return fmt.Sprint(limit)
}

// judge says how the worst run and the middle one stand to the limit.
func (a aim) judge(r Result) (worst float64, verdict string) {
	meets := func(v float64) bool { return v >= a.limit }
	worst = r.Min
	if a.atMost {
		worst = r.Max
		meets = func(v float64) bool { return v <= a.limit }
	}
	switch {
	case meets(worst):
		return worst, "met in every run"
	case meets(r.Median):
		return worst, "met in the median"
	}
	return worst, "**not met**"
}

// isCompared says of a subject that it is no part of factline.
func isCompared(subject string) bool {
	for _, prefix := range []string{"raw_", "textbook", "skip_locked", "plain_insert", "watermill", "debezium", "spring"} {
		if strings.HasPrefix(subject, prefix) {
			return true
		}
	}
	return false
}
