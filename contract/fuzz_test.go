package contract_test

import (
	"encoding/json"
	"errors"
	"testing"

	"factline.dev/contract"
)

// FuzzValidate holds Validate to two promises: no panic, and nothing that
// encoding/json cannot read is called valid.
func FuzzValidate(f *testing.F) {
	c := loadPlatform(f)
	for _, e := range c.Events() {
		for _, x := range e.Examples {
			f.Add(e.Type, x.Value)
		}
	}
	f.Add("OrderCaptured", []byte(`{"payload":{"totals":{"oneTimeTotal":1e400}}}`))
	f.Add("", []byte("[[[["))
	f.Fuzz(func(t *testing.T, eventType string, value []byte) {
		err := c.Validate(eventType, 1, value)
		var unknown *contract.UnknownEventError
		var violation *contract.ViolationError
		switch {
		case err == nil && !json.Valid(value):
			t.Errorf("%q is no JSON and was called valid", value)
		case err != nil && !errors.As(err, &unknown) && !errors.As(err, &violation):
			t.Errorf("an error of type %T: %v", err, err)
		case violation != nil && len(violation.Violations) == 0:
			t.Error("a violation without a place")
		}
		if _, err := c.Route(eventType, 1, value); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
	})
}

// FuzzLoad breaks one file of a folder in any way: Load returns, and whatever
// it accepts can be used.
func FuzzLoad(f *testing.F) {
	files := shop(f)
	for i, name := range []string{"services.yaml", basketTopic, paidEvent, paidSchema} {
		f.Add(uint8(i), files[name].Data)
	}
	f.Add(uint8(1), []byte("a: &a [*a, *a]\nb: *a"))
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		files := shop(t)
		name := []string{"services.yaml", basketTopic, paidEvent, paidSchema}[which%4]
		files[name].Data = text
		c, err := contract.Load(files)
		if err != nil {
			if len(contract.Problems(err)) == 0 {
				t.Errorf("no problem in %v", err)
			}
			return
		}
		for _, e := range c.Events() {
			_ = c.Validate(e.Type, e.Version, []byte(`{"payload":{}}`))
			_, _ = c.Route(e.Type, e.Version, []byte(`{}`))
		}
	})
}
