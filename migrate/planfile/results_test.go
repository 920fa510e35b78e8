package planfile

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// FuzzParseResults: the short cut for our own lists says what the decoder
// says, or nothing; and what is read is written again as it was.
func FuzzParseResults(f *testing.F) {
	f.Add([]byte(`[{"s":0,"o":"d","i":"m-1"},{"s":12,"o":"a"},{"s":1,"o":"p"}]`))
	f.Add(appendResults(nil, []migrate.ChangeResult{{Seq: 3, Outcome: cloud.Failed, Kind: cloud.Denied, Message: "n\"o"}}))
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"s":01,"o":"d"}]`))
	f.Add([]byte(`[{"s":0,"o":"d","i":"a\\u0041"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		own, ok := parseOwn(b)
		if !ok {
			_, _ = parseResults(b)
			return
		}
		var forms []resultForm
		if err := json.Unmarshal(b, &forms); err != nil || len(forms) != len(own) {
			t.Fatalf("%q is read as %v, the decoder says %v", b, own, err)
		}
		if again := appendResults(nil, own); !cmp.Equal(string(again), string(b)) {
			for i, form := range forms {
				if outcome, _ := outcomeOf(form.Outcome); form.Seq != own[i].Seq || outcome != own[i].Outcome || form.ID != own[i].ID {
					t.Fatalf("%q is read as %v, the decoder says %v", b, own, forms)
				}
			}
		}
	})
}

// What is no list of ours says nothing of what became of a change.
func TestResultsThatAreNone(t *testing.T) {
	long := strings.Repeat(`,{"s":0,"o":"d"}`, MaxChanges)
	for _, text := range []string{`{}`, `[`, `[{"s":0,"o":"d"}] []`, `[{"s":0,"o":"d"}]]`, `[{"s":0,"o":"d"}]}`, `[{"s":0,"o":"d","x":1}]`, `[{"s":-1,"o":"d"}]`,
		`[{"s":` + strconv.Itoa(MaxChanges) + `,"o":"d"}]`, `[{"s":0,"o":"?"}]`, `[{"s":0,"o":""}]`, `[{"s":0,"o":"f","k":"unheard of","m":"x"}]`, `[{"s":0,"o":"f","k":"unknown","m":"x"}]`,
		`[{"s":0,"o":"d"}` + long + `]`, `[ {"s":0,"o":"d"}` + long + `]`} {
		if results, err := parseResults([]byte(text)); err == nil {
			t.Errorf("%.60q is read as %v", text, results)
		}
	}
	// What the short cut leaves to the decoder.
	for _, text := range []string{"", `[]`, `[{"s":,"o":"d"}]`, `[{"s":01,"o":"d"}]`, `[{"s":0,"o":"d"]`, `[{"s":0,"o":"dd"}]`, `[{"s":0,"o":"d","i":"é"}]`, `[{"s":0,"o":"d","i":"a` + "\n" + `"}]`,
		`[{"s":0,"o":"d","i":"a\"b"}]`, `[{"s":0,"o":"d","i":"a]`, `[{"s":0,"o":"d"};{"s":1,"o":"d"}]`, `[{"s":0,"o":"`} {
		if results, ok := parseOwn([]byte(text)); ok {
			t.Errorf("%q is read as %v", text, results)
		}
	}
}
