package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mfabridge/internal/strictjson"
)

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"twice":                  {`{"a":1,"a":2}`, `names member "a" twice`},
		"twice, the same value":  {`{"a":1, "b":2, "a":1}`, `names member "a" twice`},
		"in another case":        {`{"user":"ada","USER":"bob"}`, `names member "USER" twice`},
		"in another alphabet":    {`{"task":1,"taſ\u212a":2}`, "names member"},
		"escaped":                {`{"a":1,"\u0061":2}`, `names member "a" twice`},
		"empty":                  {`{"":1,"":2}`, `names member "" twice`},
		"a quote in it":          {`{"\"":1,"\u0022":2}`, "twice"},
		"inside an array":        {`[{"a":1},{"b":1,"b":2}]`, "twice"},
		"behind objects":         {`{"a":{"a":{"a":1}},"b":[{"a":1}],"a":2}`, "twice"},
		"a long name":            {`{"` + strings.Repeat("x", 99) + `":1,"` + strings.Repeat("x", 99) + `":1}`, "it names a member twice"},
		"deep":                   {strings.Repeat("[", strictjson.MaxDepth+1) + strings.Repeat("]", strictjson.MaxDepth+1), "nested"},
		"deep in a string's way": {strings.Repeat(`{"a":`, strictjson.MaxDepth+1) + "1" + strings.Repeat("}", strictjson.MaxDepth+1), "nested"},
		"many members":           {"{" + many(strictjson.MaxMembers+1) + "}", "members"},
		"something behind it":    {`{"a":1} {}`, "follows"},
		"Latin-1":                {"{\"name\":\"J\xfcrgen\"}", "not UTF-8"},
		"half a letter":          {`{"name":"\ud83d"}`, "half a letter"},
		"the other half":         {`{"name":"x\uDE00y"}`, "half a letter"},
		"halves the wrong way":   {`{"name":"\ude00\ud83d"}`, "half a letter"},
		"half, and a letter":     {`{"name":"\ud83d\u0041"}`, "half a letter"},
		"half, and no escape":    {`{"name":"\ud83du1234"}`, "half a letter"},
		"half, and a newline":    {`{"name":"\ud83d\nde00"}`, "half a letter"},
		"half a letter's name":   {`{"\ud83d":1,"\ud83e":2}`, "half a letter"},
		"Latin-1 in a name":      {"{\"J\xfcrgen\":1}", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			var got any
			err := strictjson.Decode([]byte(c.text), &got)
			if _, ok := errors.AsType[strictjson.Refused](err); !ok || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if c.says != "follows" && got != nil {
				t.Errorf("it was read all the same: %v", got)
			}
		})
	}
}

func TestTaken(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":              `{}`,
		"one name at a time":   `[{"a":1},{"a":2}]`,
		"one name at a level":  `{"a":{"a":{"a":1}},"b":{"a":1}}`,
		"a name of the inside": `{"b":{"a":1},"a":[{"a":2}],"c":{"c":3,"b":4}}`,
		"whole letters":        `{"\ud83d\ude00":"\uD83D\uDE00\ud83c\uDF89","b":"\ufffd\ud7ff\ue000","c":"\\ud83d","d":"\\\\\ud83d\ude00"}`,
		"names as values":      `{"a":"a","b":"a","c":["a","a"],"d":["{","a",",","a"]}`,
		"quotes in values":     `{"a":"\",\"a\":1","b":"\\","c":"\\\"a"}`,
		"many members":         "{" + many(strictjson.MaxMembers) + "}",
		"many objects":         "[" + strings.Repeat(`{"a":1},`, 1000) + `{"a":1}]`,
		"deep":                 strings.Repeat("[", strictjson.MaxDepth) + strings.Repeat("]", strictjson.MaxDepth),
	} {
		var got, want any
		if err := strictjson.Decode([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = json.Unmarshal([]byte(text), &want)
		if g, w := compact(t, got), compact(t, want); g != w {
			t.Errorf("%s: %s, want %s", name, g, w)
		}
	}
}

// What is no JSON is refused by whoever sees it first.
func TestNoJSON(t *testing.T) {
	for _, text := range []string{`{"abc`, `{"`, `{"a\`, `{}"a"`, `{]"a"`, `}"a"`, `{"a":1}"b"`, `{"\x":1}`} {
		var got any
		if err := strictjson.Decode(slices.Clip([]byte(text)), &got); err == nil {
			t.Errorf("%s: read as %v", text, got)
		}
	}
}

func TestKnownMembersOnly(t *testing.T) {
	var into struct{ A int }
	if err := strictjson.DecodeKnown([]byte(`{"a":1,"b":2}`), &into); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("an unknown member: %v", err)
	}
	if err := strictjson.Decode([]byte(`{"a":1,"b":2}`), &into); err != nil || into.A != 1 {
		t.Errorf("%+v, %v", into, err)
	}
	for _, text := range []string{``, ` `, `{`, `{"a"`, `{"a`, `{"a\`, `"`, `]`, `}`, `,`, `{,}`, `{"\x":1}`, `{"a":1,}`} {
		if err := strictjson.Decode([]byte(text), &into); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"m` + strings.Repeat("x", i) + `":` + "1")
	}
	return b.String()
}

func compact(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// plain is the same question answered by the tokens of encoding/json.
func plain(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	var names [][]string // nil: an array
	name := false        // the next token is a name
	for {
		t, err := d.Token()
		if err != nil {
			return true // the end: what is no JSON is not asked about
		}
		if delim, ok := t.(json.Delim); ok {
			switch delim {
			case '{':
				names, name = append(names, []string{}), true
			case '[':
				names, name = append(names, nil), false
			default:
				names = names[:len(names)-1]
				name = len(names) > 0 && names[len(names)-1] != nil
			}
			if len(names) > strictjson.MaxDepth {
				return false
			}
			continue
		}
		if len(names) == 0 || names[len(names)-1] == nil {
			continue
		}
		if name {
			mine := &names[len(names)-1]
			for _, other := range *mine {
				if strings.EqualFold(other, t.(string)) {
					return false
				}
			}
			if *mine = append(*mine, t.(string)); len(*mine) > strictjson.MaxMembers {
				return false
			}
		}
		name = !name
	}
}

// halved tells by patterns whether a text of JSON escapes half a letter.
func halved(text []byte) bool {
	text = regexp.MustCompile(`\\[^u]`).ReplaceAll(text, []byte("-")) // of JSON inside strings only
	text = regexp.MustCompile(`(?i)\\ud[89ab]..\\ud[c-f]..`).ReplaceAll(text, []byte("-"))
	return regexp.MustCompile(`(?i)\\ud[89a-f]`).Match(text)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`["\ud83d\ude00",{"\\ud83d":"\uD83D\uDE00\ud7ff\ue000"}]`))
	f.Add([]byte(`["\ud83d\\\ude00"]`))
	f.Add([]byte(`{"a":1,"\u0061":[{"b":"\"","c":{}}]}`))
	f.Add([]byte(`[[],{},{"a":{"a":null}},"a",1e9,{"K":1,"` + "\u212a" + `":2}]`))
	f.Add([]byte("{\"\xff\":1,\"\xfe\":2}"))
	f.Add([]byte("{\"\xf6\":[]}"))
	f.Add([]byte(`{"a\`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got any
		err := strictjson.Decode(text, &got)
		if !json.Valid(text) {
			if err == nil {
				t.Fatalf("%q is taken", text)
			}
			return
		}
		if want := utf8.Valid(text) && plain(text) && !halved(text); want != (err == nil) {
			t.Fatalf("%q: %v, by its tokens %v", text, err, want)
		}
	})
}

// BenchmarkDecode is a body as logins have it, with what encoding/json alone
// takes for it as anchor.
func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"subject":{"kind":"name","value":"CORP\\ada"},"client":{"app":"vpn","station":"198.51.100.7","address":"198.51.100.7"},"idempotency_key":"0123456789abcdef","code":"123456","tries":3}`)
	type body struct {
		Subject struct{ Kind, Value string }
		Client  struct{ App, Station, Address string }
		Key     string `json:"idempotency_key"`
		Code    string
		Tries   int
	}
	b.Run("strict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var into body
			if err := strictjson.DecodeKnown(text, &into); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anchor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var into body
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&into); err != nil {
				b.Fatal(err)
			}
		}
	})
}
