package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressEvery is how often a line is written where there is no terminal, so
// that a log shows life without being filled.
const progressEvery = 10 * time.Second

// progress shows how far a long job has come: a bar on a terminal, a plain
// line every ten seconds elsewhere. A nil progress shows nothing.
type progress struct {
	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	out   io.Writer
	what  string
	now   func() time.Time
	every time.Duration
	first int64     // how many were done when begun was taken
	early int64     // how many of those that are done an earlier run did; they do not count for the rate
	begun time.Time // the first call of at: what was prepared before it does not count for the rate
	last  time.Time
	total int64 // 0: not known
}

func (p *program) progress(what string, total int64) *progress {
	g := &progress{out: p.err, what: what, total: total, now: p.now, every: p.every, last: p.now()}
	if moves(p.err) {
		size := total
		if size == 0 {
			size = -1
		}
		g.bar = progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(p.err),
			progressbar.OptionSetDescription(what),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false), // its rate would count what earlier runs did
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionUseANSICodes(true))
	}
	return g
}

// of is at with a total that may be another one than at the beginning, and
// says how many of those that are done were so before this run.
func (g *progress) of(done, total, failed, earlier int64) {
	if g == nil {
		return
	}
	g.mu.Lock()
	if g.bar != nil && total != g.total {
		g.bar.ChangeMax64(total)
	}
	g.total, g.early = total, earlier
	g.mu.Unlock()
	g.at(done, failed)
}

// at says how many are done, and how many of them failed.
func (g *progress) at(done, failed int64) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if g.begun.IsZero() && done > g.early {
		g.begun, g.first = now, done-g.early
	}
	if g.bar != nil {
		text := g.speed(now, done)
		if narrow(g.out) {
			text = ""
		}
		g.bar.Describe(g.what + text + failures(failed))
		_ = g.bar.Set64(done)
		return
	}
	if now.Sub(g.last) < g.every {
		return
	}
	g.last = now
	fmt.Fprintln(g.out, g.line(now, done, failed))
}

func (g *progress) line(now time.Time, done, failed int64) string {
	text := fmt.Sprintf("%s: %d", g.what, done)
	if g.total > 0 {
		text = fmt.Sprintf("%s: %d of %d", g.what, done, g.total)
	}
	return text + g.speed(now, done) + failures(failed)
}

// narrow tells whether a bar with its rate would not fit into one line of the
// terminal: each update would begin a new one.
func narrow(w io.Writer) bool {
	const enough = 72 // columns
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return err == nil && columns > 0 && columns < enough
}

// speed is the rate of this run, and the time left at it.
func (g *progress) speed(now time.Time, done int64) (text string) {
	made := done - g.early - g.first
	if spent := now.Sub(g.begun).Seconds(); !g.begun.IsZero() && spent > 0 && made > 0 {
		rate := float64(made) / spent
		text = fmt.Sprintf(", %.0f a second", rate)
		if g.total > done {
			text += fmt.Sprintf(", %s left", time.Duration(float64(g.total-done)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	return text
}

func failures(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d failed", n)
}

// note says something beside the progress.
func (g *progress) note(text string) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bar != nil {
		_ = g.bar.Clear()
	}
	fmt.Fprintf(g.out, "mfabridge: %s\n", text)
}

// end takes the bar away; results follow.
func (g *progress) end() {
	if g != nil && g.bar != nil {
		_ = g.bar.Finish()
	}
}
