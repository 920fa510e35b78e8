package channel_test

import (
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
)

func TestTemplateFills(t *testing.T) {
	p, err := channel.ParseTemplate("a <$x$>, <$y$><$x$>!", "x", "y")
	if err != nil {
		t.Fatal(err)
	}
	// A value is never a template, and a mark without a value is empty.
	if got := p.Fill(channel.Values{"x": "<$y$>"}, nil); got != "a <$y$>, <$y$>!" {
		t.Errorf("filled: %q", got)
	}
	if got := p.Fill(channel.Values{"x": "1", "y": "2"}, func(s string) string { return "[" + s + "]" }); got != "a [1], [2][1]!" {
		t.Errorf("escaped: %q", got)
	}
}

func TestTemplateSaysNo(t *testing.T) {
	for _, s := range []string{"<$", "<$x", "<$x$", "<$$>", "<$X$>", "<$x y$>", "<$z$>", "<$x<$x$>$>", strings.Repeat("<$x$>", 40), strings.Repeat("a", 3000)} {
		if p, err := channel.ParseTemplate(s, "x"); err == nil {
			t.Errorf("%.20q was read as %v", s, p)
		}
	}
}

func TestTextSaysNo(t *testing.T) {
	for _, s := range []string{engine.DefaultText, "<$otp$>", "Ihr Code für <$application_name$>: <$otp$>. Nicht weitergeben!", "コード <$otp$>。", "3.5 minutes: <$otp$>"} {
		if _, err := channel.ParseText(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "no code", "<$otp$> <$otp$>", "<$otp$> <$application_name$> <$application_name$>", "<$otp$> <$number$>",
		"<$otp$> https://contoso.example", "<$otp$> www.contoso", "<$otp$> contoso.example/x", "<$otp$> a@b", "go to HTTP://X <$otp$>",
		"@contoso.example #<$otp$>", "two\nlines <$otp$>", "<$otp$>\x00", "<$otp$>\xff", "<$otp$> " + strings.Repeat("a", 300),
		"<$application_name$>.example <$otp$>"} {
		if _, err := channel.ParseText(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{engine.DefaultText, "<$otp$>", "<$x", "<$otp$>.example", "a<$application_name$>b <$otp$>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const code, app = "\x01CODE\x01", "\x01APP\x01"
		p, err := channel.ParseTemplate(s, "otp", "application_name")
		if err != nil {
			return
		}
		got := p.Fill(channel.Values{"otp": code, "application_name": app}, nil)
		if want := strings.NewReplacer("<$otp$>", code, "<$application_name$>", app).Replace(s); got != want {
			t.Errorf("%q is filled as %q, not %q", s, got, want)
		}
		if strings.Contains(strings.NewReplacer("<$otp$>", " ", "<$application_name$>", " ").Replace(s), "<$") {
			t.Errorf("%q holds a mark that was not seen", s)
		}
		if _, err := channel.ParseText(s); err == nil && (strings.Count(s, "<$otp$>") != 1 || strings.Contains(s, "://") || strings.ContainsAny(s, "\r\n\x00")) {
			t.Errorf("%q was taken as a text", s)
		}
	})
}
