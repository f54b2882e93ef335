package contract_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"factline.dev/contract"
)

func violations(t testing.TB, err error) []contract.Violation {
	t.Helper()
	var v *contract.ViolationError
	if !errors.As(err, &v) {
		t.Fatalf("got %v, want a ViolationError", err)
	}
	return v.Violations
}

func TestValidateNamesThePlace(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	for _, tt := range []struct{ name, old, new, want string }{
		{"a missing field", `"customerId": "cust_1001",`, ``, "payload.customerId is required"},
		{"a missing envelope field", `"tenantId": "tenant_001",`, ``, "tenantId is required"},
		{"a wrong type", `"lineCount": 2`, `"lineCount": "2"`, "payload.lineCount must be integer"},
		{"a string that is too long", `"EUR"`, `"EURO"`, "payload.currency must have at most 3 characters"},
		{"a wrong amount", `"670.00"`, `"670"`, "payload.totals.oneTimeTotal must match"},
		{"a place in a list", `"action": "ADD"`, `"action": "ERASE"`, "payload.lineSummaries[0].action must be one of ADD, MODIFY, REMOVE"},
		{"no instant", `"capturedAt": "2026-07-02T08:15:30.481Z"`, `"capturedAt": "yesterday"`, "payload.capturedAt must be a valid date-time"},
		{"another producer", `"order-service"`, `"quote-service"`, "producer must be order-service"},
		{"version zero", `"aggregateVersion": 1`, `"aggregateVersion": 0`, "aggregateVersion must be at least 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			value := string(example(t, c, "OrderCaptured", "full"))
			if !strings.Contains(value, tt.old) {
				t.Fatalf("the example does not hold %s", tt.old)
			}
			err := c.Validate("OrderCaptured", 1, []byte(strings.Replace(value, tt.old, tt.new, 1)))
			if got := violations(t, err); len(got) != 1 || !strings.HasPrefix(got[0].String(), tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "contract: check OrderCaptured v1: ") {
				t.Errorf("the error says %q", err)
			}
		})
	}
}

func TestReadersTolerateWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	for _, e := range c.Events() {
		value := string(example(t, c, e.Type, "minimal"))
		value = strings.Replace(value, `"payload": {`, `"newEnvelopeField": 1, "payload": { "newField": {"a": [1]},`, 1)
		if err := c.Validate(e.Type, 1, []byte(value)); err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
	}
}

func TestErrorsNeverRepeatContent(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	const private = "Erika Mustermann +49 170 1234567"
	value := string(example(t, c, "QuoteAccepted", "full"))
	for _, tt := range []struct{ name, old, new string }{
		{"as a value", `"EUR"`, fmt.Sprintf("%q", private)},
		{"as an amount", `"670.00"`, fmt.Sprintf("%q", private)},
		{"as a number", `"quoteRevision": 1`, `"quoteRevision": -491701234567`},
		{"as a name in a map", `"bandwidthMbps": "500"`, fmt.Sprintf("%q: 5", private)},
		{"as a number that is a name", `"bandwidthMbps": "500"`, `"491701234567": 5`},
		{"as a short number that is a name", `"bandwidthMbps": "500"`, `"4917012": 5`},
		{"as the whole", value, private},
		{"as the producer", `"quote-service"`, fmt.Sprintf("%q", private)},
		{"as an enum", `"DIRECT_SALES"`, fmt.Sprintf("%q", private)},
		{"as a date", `"2026-07-20"`, fmt.Sprintf("%q", private)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(value, tt.old) {
				t.Fatalf("the example does not hold %s", tt.old)
			}
			err := c.Validate("QuoteAccepted", 1, []byte(strings.Replace(value, tt.old, tt.new, 1)))
			text := fmt.Sprintf("%v %+v", err, violations(t, err))
			for _, secret := range []string{"Erika", "Mustermann", "1234567", "4917012"} {
				if strings.Contains(text, secret) {
					t.Errorf("the error says %q", text)
				}
			}
		})
	}
}

func TestValidateBoundsWhatItReads(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	full := string(example(t, c, "OrderCaptured", "full"))
	with := func(extra string) string { return strings.Replace(full, `"payload": {`, `"payload": {`+extra+",", 1) }
	for _, tt := range []struct{ name, value, want string }{
		{"too large", with(`"pad":"` + strings.Repeat("x", 900<<10) + `"`), "over the limit"},
		{"too deep", with(`"deep":` + strings.Repeat("[", 70) + strings.Repeat("]", 70)), "nests deeper than 64 levels"},
		{"far too deep", strings.Repeat("[", 400_000), "nests deeper"},
		{"a huge exponent", with(`"n":1e999999`), "number beyond"},
		{"a long number", with(`"n":` + strings.Repeat("9", 65)), "number beyond"},
		{"a name twice", with(`"orderId":"other"`), "same name twice"},
		{"not UTF-8", with(`"s":"` + "\xff" + `"`), "not valid UTF-8"},
		{"a second value", full + "{}", "more after"},
		{"cut short", full[:len(full)/2], "not valid JSON"},
		{"nothing", "", "not valid JSON"},
		{"no object", "[]", "must be object"},
		{"null", "null", "must be object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := violations(t, c.Validate("OrderCaptured", 1, []byte(tt.value)))
			if len(got) != 1 || got[0].Path != "value" || !strings.Contains(got[0].Message, tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}

func TestTheLargestEventPasses(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	full := string(example(t, c, "OrderCaptured", "full"))
	pad := strings.Repeat("x", contract.MaxValueBytes-len(full)-len(`"pad":"",`))
	value := strings.Replace(full, `"payload": {`, `"payload": {"pad":"`+pad+`",`, 1)
	if len(value) != contract.MaxValueBytes {
		t.Fatalf("%d bytes", len(value))
	}
	if err := c.Validate("OrderCaptured", 1, []byte(value)); err != nil {
		t.Error(err)
	}
}

func TestViolationsAreBounded(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	lines := strings.Repeat(`{"action":"NO"},`, 5000)
	value := fmt.Sprintf(`{"payload":{"lineSummaries":[%s{}]}}`, lines)
	var v *contract.ViolationError
	if err := c.Validate("OrderCaptured", 1, []byte(value)); !errors.As(err, &v) {
		t.Fatal(err)
	}
	if len(v.Violations) != contract.MaxViolations || v.More < 15_000 || len(v.Error()) > 300 {
		t.Errorf("%d violations and %d more, an error of %d bytes", len(v.Violations), v.More, len(v.Error()))
	}
}

func TestValidateFromManyGoroutines(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	good := example(t, c, "QuoteAccepted", "full")
	bad := bytes.Replace(good, []byte(`"EUR"`), []byte(`"E"`), 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := c.Validate("QuoteAccepted", 1, good); err != nil {
					t.Error(err)
				}
				if err := c.Validate("QuoteAccepted", 1, bad); err == nil {
					t.Error("a broken event passed")
				}
			}
		})
	}
	wg.Wait()
}
