// Package seldom keeps a log from being filled by one trouble that comes again
// and again: it is said when it begins, and then once a minute.
//
//	var full seldom.Word // of one trouble
//
//	if full.Due(now()) {
//		log.Error("the disk is full")
//	}
package seldom

import (
	"sync/atomic"
	"time"
)

// pause is the least time between two times that a word is said.
const pause = time.Minute

// Word is what is to be said now and then. The zero Word was never said. Any
// number of goroutines may use it.
type Word struct {
	at atomic.Int64 // when it was said, in Unix nanoseconds; 0: never
}

// Due tells whether to say it now, and takes it as said. Of several who ask at
// the same moment one is told to. A clock that is set back keeps nobody silent.
func (w *Word) Due(now time.Time) bool {
	at := w.at.Load()
	if at != 0 && now.Sub(time.Unix(0, at)).Abs() < pause {
		return false
	}
	return w.at.CompareAndSwap(at, now.UnixNano())
}

// Forget is for when the trouble is over: the next one is said at once.
func (w *Word) Forget() { w.at.Store(0) }
