package app_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

var (
	entry = regexp.MustCompile(`"([a-z][\w.]*)": "((?:[^"\\]|\\.)*)"`)
	used  = regexp.MustCompile(`(?:\bt\(|Refusal\(|\btold\("\w+", )"([a-z]\w*(?:\.\w+)*)"`)
	slot  = regexp.MustCompile(`\{\w+\}`)
)

func dictionary(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("web", language+".js"))
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
		if _, twice := words[m[1]]; twice {
			t.Errorf("%s says %s twice", language, m[1])
		}
		words[m[1]] = m[2]
	}
	if len(words) < 100 {
		t.Fatalf("%s has %d words only", language, len(words))
	}
	return words
}

// offered are the second factors that the form of a sign-in offers.
func offered(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("web/signin.js")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`const ways = \[(.+?)\]`).FindSubmatch(page)
	if list == nil {
		t.Fatal("web/signin.js has no list of ways")
	}
	var ways []string
	for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllSubmatch(list[1], -1) {
		ways = append(ways, string(m[1]))
	}
	if len(ways) < 3 {
		t.Fatalf("the form offers %v only", ways)
	}
	return ways
}

// Both languages say everything that the pages ask for, with the same slots.
func TestEveryWordInEveryLanguage(t *testing.T) {
	english, german := dictionary(t, "en"), dictionary(t, "de")
	for key, text := range english {
		other, ok := german[key]
		if !ok {
			t.Errorf("German has no %s", key)
			continue
		}
		if a, b := slot.FindAllString(text, -1), slot.FindAllString(other, -1); !slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))) {
			t.Errorf("%s has the slots %v in English and %v in German", key, a, b)
		}
	}
	for key := range german {
		if _, ok := english[key]; !ok {
			t.Errorf("English has no %s", key)
		}
	}
	for why, told := range reasons(t) {
		if english["reason."+why] == "" && told {
			t.Errorf("nothing says what to do where the engine refuses for %s", why)
		}
	}
	for key := range english {
		if why, ok := strings.CutPrefix(key, "reason."); ok {
			if told, known := reasons(t)[why]; !known || !told {
				t.Errorf("%s is nothing for which the engine refuses a page", key)
			}
		}
	}
	for _, method := range offered(t) {
		if english["invite.second."+method] == "" || english["way."+method] == "" {
			t.Errorf("nothing says how %s asks for a code: the page shows the English text of the engine", method)
		}
		if strings.HasPrefix(method, "voice") || method == string(cloud.Push) {
			t.Errorf("%s is offered to who signs in here, and nothing is typed for it", method)
		}
	}
	files, err := filepath.Glob("web/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllStringSubmatch(string(text), -1) {
			if english[m[1]] == "" {
				t.Errorf("%s says %s, which is no word", path, m[1])
			}
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function", "http://", "document.write"} {
			if strings.Contains(string(text), bad) && !strings.Contains(string(text), "http://www.w3.org") {
				t.Errorf("%s holds %s", path, bad)
			}
		}
	}
}

// reasons are those of docs/api.md, which are those of the code, and whether a
// page meets them.
func reasons(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Reasons\n")
	all := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(table, -1) {
		all[m[1]] = m[2] != "verdict" && m[1] != string(cloud.MailedBefore)
	}
	if len(all) < 20 {
		t.Fatalf("docs/api.md has %d reasons only", len(all))
	}
	return all
}

// The service worker has the words of all languages, each once, and a version that
// is of every file: it is asked for anew when one has changed.
func TestWorkerHasTheWords(t *testing.T) {
	h := build(t)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, httptest.NewRequest("GET", "/authenticator/sw.js", nil))
	files, err := os.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join("web", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(sum, "%s\x00%s", f.Name(), text)
	}
	if version := base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12]); !strings.Contains(w.Body.String(), `"version":"`+version+`"`) || strings.Contains(w.Body.String(), ": ,\n") {
		t.Errorf("the worker is not of version %s: %.200s", version, w.Body)
	}
	for _, language := range engine.Languages() {
		text, err := os.ReadFile(filepath.Join("web", language+".js"))
		if err != nil {
			t.Fatal(err)
		}
		_, words, _ := strings.Cut(string(text), "export default ")
		if got := w.Body.String(); strings.Count(got, "\n"+language+": {") != 1 || !strings.Contains(got, strings.TrimSuffix(words, ";\n")) {
			t.Errorf("the worker does not speak %s", language)
		}
	}
	for _, m := range regexp.MustCompile(`\bt\("([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if !strings.Contains(w.Body.String(), `"`+m[1]+`": "`) {
			t.Errorf("the worker says %s, which is no word", m[1])
		}
	}
}
