package graph_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud/engine"
)

// example is one of the published examples, in testdata/examples.json: what is
// asked, and which fields the answer shows. Numbers, names and secrets are
// synthetic.
type example struct {
	Page, Method, Path string
	Body               json.RawMessage
	Status             int
	Fields, Each       []string       // of the answer, of each entry of its value
	Equal              map[string]any // fields with the value that they must have
	Keep               string         // the id that is answered is put in place of {…} later
}

// The published examples, in the order in which they build on each other.
func TestPublishedExamples(t *testing.T) {
	b, err := os.ReadFile("testdata/examples.json")
	check(t, err)
	var all []example
	check(t, json.Unmarshal(b, &all))
	r := open(t, engine.Assumptions{}, "pass=any")
	known := map[string]string{"{ann}": r.ann}
	fill := func(s string) string {
		for name, id := range known {
			s = strings.ReplaceAll(s, name, id)
		}
		return s
	}
	for _, e := range all {
		got := r.call(t, e.Method, fill(e.Path), fill(string(e.Body)))
		if got.status != e.Status {
			t.Errorf("%s: %d, want %d: %s", e.Page, got.status, e.Status, got.raw)
			continue
		}
		for _, name := range e.Fields {
			if _, ok := got.body[name]; !ok {
				t.Errorf("%s: the answer has no %s: %s", e.Page, name, got.raw)
			}
		}
		for name, want := range e.Equal {
			if diff := cmp.Diff(want, got.body[name]); diff != "" {
				t.Errorf("%s: %s: %s", e.Page, name, diff)
			}
		}
		if len(e.Each) > 0 && got.len("value") == 0 {
			t.Errorf("%s: nothing is listed", e.Page)
		}
		for i := range got.len("value") {
			for _, name := range e.Each {
				if entry, _ := got.at("value", i).(map[string]any); entry == nil || !has(entry, name) {
					t.Errorf("%s: entry %d has no %s: %s", e.Page, i, name, got.raw)
				}
			}
		}
		if e.Keep != "" {
			known["{"+e.Keep+"}"] = got.text("id")
		}
	}
}

func has(m map[string]any, name string) bool { _, ok := m[name]; return ok }
