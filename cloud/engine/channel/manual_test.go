package channel_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every example of the manual is taken as it stands there.
func TestExamplesOfTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile("(?ms)^```yaml\n.*?^channels:\n(.*?)^```").FindSubmatch(manual)
	if whole == nil {
		t.Fatal("the manual has no example of a whole block")
	}
	examples := []string{string(whole[1])}
	for _, part := range regexp.MustCompile(`(?m)^\n((?:    .*\n)+)`).FindAllSubmatch(manual, -1) {
		text := string(part[1])
		switch {
		case strings.HasPrefix(text, "    - name:"):
			examples = append(examples, "text:\n  providers:\n"+text)
		case strings.HasPrefix(text, "    http:"):
			examples = append(examples, "text:\n  providers:\n  - name: a\n    mode: live\n"+text)
		case strings.HasPrefix(text, "    rcs:"):
			examples = append(examples, "    text: {providers: [{name: sms, mode: live, outbox: {folder: sms}}]}\n"+text)
		}
	}
	if len(examples) < 6 {
		t.Errorf("only %d examples were found", len(examples))
	}
	for _, text := range examples {
		if _, err := parse(t, text); err != nil {
			t.Errorf("%v:\n%s", err, text)
		}
	}
}
