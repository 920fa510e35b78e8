package channel

import (
	"sync"
	"time"
)

// A provider that failed so often in a row is left alone for so long; then one
// message tries it.
const (
	breakAfter = 5
	breakFor   = 30 * time.Second
)

// breaker keeps a provider that takes nothing from costing every login its
// patience.
type breaker struct {
	mu      sync.Mutex
	failed  int       // in a row
	until   time.Time // before which nobody asks
	trying  bool      // somebody tries it after a break
	sent    uint64    // messages taken over
	refused uint64    // and not
}

// may tells whether a message may ask the provider now.
func (b *breaker) may(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed < breakAfter {
		return true
	}
	if b.trying || now.Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

// done records how it went. unwell: it was the provider's fault, and not the
// message's. It returns whether the provider fell ill or got well by it.
func (b *breaker) done(ok, unwell bool, now time.Time) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	was := b.failed >= breakAfter
	if ok {
		b.sent++
	} else {
		b.refused++
	}
	if !unwell {
		b.failed = 0
		return was
	}
	b.failed++
	b.until = now.Add(breakFor)
	return !was && b.failed >= breakAfter
}

// state is how the provider is, for people.
func (b *breaker) state(now time.Time) (word string, sent, refused uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failed >= breakAfter && now.Before(b.until):
		word = "resting"
	case b.failed > 0:
		word = "failing"
	default:
		word = "well"
	}
	return word, b.sent, b.refused
}
