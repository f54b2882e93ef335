package platform

import (
	"strconv"

	"factline.dev/contract"
)

// Topic is a topic that the broker must have.
type Topic struct {
	Name       string
	Partitions int
	Configs    map[string]string
}

// embeddedRetentionBytes is what all topics of the embedded broker may hold: it
// reads its log into memory when it opens.
const embeddedRetentionBytes = 256 << 20

// Topics lists every topic of the catalogue with its retry and dead-letter
// topics, as a developer's machine has them. embedded caps retention so that the
// whole log stays below 256 MiB.
func Topics(c *contract.Catalogue, embedded bool) []Topic {
	var all []Topic
	for _, t := range c.Topics() {
		all = append(all, Topic{t.Name, t.Partitions.Local, configs(t.RetentionMs, t.CleanupPolicy, t.MaxMessageBytes)})
		for _, d := range append(t.RetryTopics(), t.DeadLetters()) {
			all = append(all, Topic{d.Name, d.Partitions.Local, configs(d.RetentionMs, d.CleanupPolicy, d.MaxMessageBytes)})
		}
	}
	if embedded {
		capRetention(all)
	}
	return all
}

func configs(retentionMs int64, cleanup string, maxMessageBytes int) map[string]string {
	c := map[string]string{"cleanup.policy": cleanup, "max.message.bytes": strconv.Itoa(maxMessageBytes)}
	if retentionMs > 0 {
		c["retention.ms"] = strconv.FormatInt(retentionMs, 10)
	}
	return c
}

// capRetention gives main topics eight times the share of retry and dead-letter
// topics, which are empty as a rule.
func capRetention(topics []Topic) {
	shares := 0
	for _, t := range topics {
		shares += t.Partitions * share(t)
	}
	for _, t := range topics {
		// A segment must be smaller than what is kept, or nothing ever expires.
		bytes := embeddedRetentionBytes / max(shares, 1) * share(t)
		t.Configs["retention.bytes"] = strconv.Itoa(bytes)
		t.Configs["segment.bytes"] = strconv.Itoa(max(bytes/4, 1<<20))
	}
}

func share(t Topic) int {
	if t.Partitions > contract.DerivedLocalPartitions {
		return 8
	}
	return 1
}
