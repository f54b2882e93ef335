package platform

import (
	"slices"
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

const leastSegmentBytes = 64 << 10

// Topics lists every topic of the catalogue with its retry and dead-letter
// topics, as a developer's machine has them. embedded caps retention so that the
// whole log stays below 256 MiB.
func Topics(c *contract.Catalogue, embedded bool) []Topic {
	var all []Topic
	var shares []int
	for _, t := range c.Topics() {
		all = append(all, Topic{t.Name, t.Partitions.Local, configs(t.RetentionMs, t.CleanupPolicy, t.MaxMessageBytes)})
		shares = append(shares, share(t))
		for _, d := range append(t.RetryTopics(), t.DeadLetters()) {
			all = append(all, Topic{d.Name, d.Partitions.Local, configs(d.RetentionMs, d.CleanupPolicy, d.MaxMessageBytes)})
			shares = append(shares, 1)
		}
	}
	if embedded {
		capRetention(all, shares)
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

// capRetention divides what the broker may hold by the topics' shares, partition
// by partition.
func capRetention(topics []Topic, shares []int) {
	sum := 0
	for i, t := range topics {
		sum += t.Partitions * shares[i]
	}
	for i, t := range topics {
		// A segment must be smaller than what is kept, or nothing ever expires.
		bytes := embeddedRetentionBytes / max(sum, 1) * shares[i]
		t.Configs["retention.bytes"] = strconv.Itoa(bytes)
		t.Configs["segment.bytes"] = strconv.Itoa(max(bytes/4, leastSegmentBytes))
	}
}

// share is a main topic's part of the retention, where a retry or dead-letter
// topic has 1: much for the lifecycles of services that run here, little for
// what nobody writes yet, for compacted state and for a few alerts.
func share(t *contract.Topic) int {
	if slices.Contains(Services(), t.Owner) && t.Category == "domain" {
		return 20
	}
	return 1
}
