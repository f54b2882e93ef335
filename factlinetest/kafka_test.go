package factlinetest_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/factlinetest"
)

func TestConsumeReturnsEveryRecordInPartitionAndOffsetOrder(t *testing.T) {
	t.Parallel()
	kafka := factlinetest.Kafka(t)
	topic := kafka.Topic(t, "consume")
	kafka.CreateTopic(t, topic, 3, map[string]string{"retention.ms": "3600000"})
	client := kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for i := range 30 {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % 3), Value: fmt.Append(nil, i)})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got := factlinetest.Consume(t, kafka.Addrs(), topic, 10)
	if len(got) != 30 {
		t.Fatalf("got %d records, want all 30 although 10 were asked for", len(got))
	}
	for i, r := range got {
		if int(r.Partition) != i/10 || int(r.Offset) != i%10 {
			t.Errorf("record %d is partition %d offset %d", i, r.Partition, r.Offset)
		}
	}
}
