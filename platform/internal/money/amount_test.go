package money_test

import (
	"encoding/json"
	"testing"

	"factline.dev/platform/internal/money"
)

func TestAmountText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"two places stay", "250.00", "250.00"},
		{"an integer gets two", "12", "12.00"},
		{"one place gets a second", "0.5", "0.50"},
		{"trailing zeros beyond the second go", "68.714000", "68.714"},
		{"a negative keeps its sign", "-11.186", "-11.186"},
		{"zero is written out", "0", "0.00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := money.MustParse(c.in).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "1e9", "1.", ".5", "NaN", "Infinity", "0x10", "1,5", " 1", "1.1234567", "1234567890123456789", "1.2.3", "-", "."} {
		if _, err := money.Parse(in); err == nil {
			t.Errorf("Parse(%q) gives no error", in)
		}
	}
}

func TestRounding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, currency, want string }{
		{"half goes up", "68.715", "EUR", "68.72"},
		{"below half goes down", "68.714999", "EUR", "68.71"},
		{"negative half goes away from zero", "-0.005", "EUR", "-0.01"},
		{"three places for the dinar", "1.2345", "KWD", "1.235"},
		{"the yen still shows two", "10.4", "JPY", "10.40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := money.MustParse(c.in).RoundTo(c.currency).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestArithmeticIsExact(t *testing.T) {
	t.Parallel()
	sum := money.Amount{}
	for range 1000 {
		sum = sum.Add(money.MustParse("0.10"))
	}
	if sum.Cmp(money.Int(100)) != 0 {
		t.Errorf("1000 × 0.10 = %s", sum)
	}
	if got := money.Int(1).Div(money.Amount{}); got.Sign() != 0 {
		t.Errorf("1/0 = %s, want 0", got)
	}
}

func TestJSONIsAString(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(struct{ A money.Amount }{money.MustParse("1.5")})
	if err != nil || string(text) != `{"A":"1.50"}` {
		t.Errorf("got %s, %v", text, err)
	}
	var back struct{ A money.Amount }
	if err := json.Unmarshal([]byte(`{"A":1.5}`), &back); err == nil {
		t.Error("a JSON number is accepted")
	}
}
