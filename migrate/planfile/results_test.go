package planfile

import (
	"encoding/json"
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
