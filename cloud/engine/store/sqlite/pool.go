package sqlite

import "sync"

// pool holds the idle connections for View. The one that was given back last is
// taken first: each fills a page cache with what it reads, so that there are no
// more full ones than readers at once. A walk through a large table, one View
// after the other, fills one, not all of them in turn.
type pool struct {
	free chan struct{} // one for each that is idle: receive it, then take

	mu   sync.Mutex
	idle []*conn
}

func newPool(most int) *pool { return &pool{free: make(chan struct{}, most)} }

// take returns an idle connection to whoever has received of free.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// give puts a connection back, or a new one in.
func (p *pool) give(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	p.free <- struct{}{}
}
