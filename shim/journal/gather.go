package journal

import (
	"io"
	"sync"
	"time"
)

// maxGathered is how many octets wait at most to be written. Beyond it whoever
// brings more writes them.
const maxGathered = 1 << 20

// Gatherer writes lines together that come one soon after the other: a system
// call for each line would cost a busy server more than the line. The first
// line after a pause is written at once, the next ones with the end of it. All
// methods may be called concurrently.
type Gatherer struct {
	w     io.Writer
	pause time.Duration
	ready chan struct{} // something waits
	stop  chan struct{}
	ended chan struct{}
	close sync.Once

	mu      sync.Mutex // of what waits
	waiting []byte

	writing sync.Mutex // held while something is written, so that order is kept
	spare   []byte
	err     error // the first
}

// Gather begins to gather lines for w, which gets whole lines, several at once
// perhaps. What it says of them is told by Close. At most pause passes between
// a line and its being written.
func Gather(w io.Writer, pause time.Duration) *Gatherer {
	g := &Gatherer{w: w, pause: pause, ready: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go g.run()
	return g
}

// Write takes one or more whole lines. It does not fail.
func (g *Gatherer) Write(lines []byte) (int, error) {
	g.mu.Lock()
	g.waiting = append(g.waiting, lines...)
	full := len(g.waiting) > maxGathered
	g.mu.Unlock()
	if full {
		g.flush()
		return len(lines), nil
	}
	select {
	case g.ready <- struct{}{}:
	default:
	}
	return len(lines), nil
}

func (g *Gatherer) run() {
	defer close(g.ended)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-g.ready:
		case <-g.stop:
			return
		}
		g.flush()
		pause.Reset(g.pause)
		select {
		case <-pause.C:
		case <-g.stop:
			return
		}
	}
}

// flush writes what waits.
func (g *Gatherer) flush() {
	g.writing.Lock()
	defer g.writing.Unlock()
	g.mu.Lock()
	lines := g.waiting
	g.waiting = g.spare[:0]
	g.mu.Unlock()
	if len(lines) > 0 {
		if _, err := g.w.Write(lines); err != nil && g.err == nil {
			g.err = err
		}
	}
	g.spare = nil
	if cap(lines) <= maxGathered {
		g.spare = lines[:0]
	}
}

// Close writes what waits and ends. What comes later is written at once. The
// error is the first that the writer gave.
func (g *Gatherer) Close() error {
	g.close.Do(func() {
		close(g.stop)
		<-g.ended
	})
	g.flush()
	g.writing.Lock()
	defer g.writing.Unlock()
	return g.err
}
