package benchmark

import (
	"context"
	"time"

	"factline.dev/envelope"
)

// contractShare is what part of Events is decoded and validated.
const contractShare = 10

func (b *Bench) contractSubjects() []subject {
	return []subject{{"decode_validate", b.decodeValidate}}
}

// decodeValidate is what a consumer does with a record's value before its handler
// sees it, on one processor.
func (b *Bench) decodeValidate(_ context.Context, events int) ([]measure, error) {
	records, err := newWorkload(max(events/contractShare, 1)).encoded(true)
	if err != nil {
		return nil, err
	}
	contracts, err := newContracts()
	if err != nil {
		return nil, err
	}
	each := func(name, about string, do func(value []byte) error) (measure, error) {
		watch := startWatch()
		for _, r := range records {
			if err := do(r.value); err != nil {
				return measure{}, err
			}
		}
		took := watch.elapsed()
		return measure{subject: name, unit: "µs", about: about, events: len(records), value: float64(took) / float64(time.Microsecond) / float64(len(records))}, nil
	}
	decode := func(value []byte) error { _, err := envelope.DecodeRaw(value); return err }
	validate := func(value []byte) error { return contracts.Validate(eventType, 1, value) }
	decoded, err := each("decode", "an event's value becomes an envelope, its payload left as it is", decode)
	if err != nil {
		return nil, err
	}
	both, err := each("decode_validate", "as decode, and the whole event is checked against its contract", func(value []byte) error {
		if err := decode(value); err != nil {
			return err
		}
		return validate(value)
	})
	return []measure{decoded, both}, err
}
