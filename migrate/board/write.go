package board

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"time"

	"mfabridge/migrate"
)

// MaxUsers is how many users a page lists; a browser handles them well. Of a
// larger plan those come first that somebody has to look at, and the page says
// which are left out.
const MaxUsers = 150_000

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// Options say how a plan is written.
type Options struct {
	Made    time.Time // of the report
	Version string    // of this program
	Reveal  bool      // full values; needs the plan's key
	Wave    string    // name of the one wave that p is; empty: p is the whole plan
	Most    int       // users that the page lists; 0: MaxUsers
}

// Write writes the page of a plan to w. Values are masked unless o.Reveal.
func Write(ctx context.Context, w io.Writer, p migrate.PlanReader, o Options) error {
	if o.Most <= 0 {
		o.Most = MaxUsers
	}
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	t, err := count(ctx, p, o)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	v := newView(p, t, o)
	if err := page.ExecuteTemplate(out, "head", v); err != nil {
		return err
	}
	if err := writeUsers(ctx, out, p, t, o); err != nil {
		return err
	}
	if err := page.ExecuteTemplate(out, "foot", v); err != nil {
		return err
	}
	return out.Flush()
}

// style is the page's style. On paper each page bears the digest of the plan,
// so that no page of another plan slips in.
func style(digest string) string {
	isHex := func(r rune) bool { return r >= '0' && r <= '9' || r >= 'a' && r <= 'f' }
	if strings.TrimFunc(digest, isHex) != "" {
		return pageCSS
	}
	return pageCSS + "@page { @bottom-left { content: \"plan " + digest + "\"; font: 8pt sans-serif; color: #444; } }\n"
}

// policy allows exactly one style and one script, and nothing from anywhere.
func policy(css string) string {
	return "default-src 'none'; style-src '" + hash(css) + "'; script-src '" + hash(pageJS) + "'; base-uri 'none'; form-action 'none'"
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func viewOf(o Options) migrate.View {
	if o.Reveal {
		return migrate.Revealed
	}
	return migrate.Masked
}
