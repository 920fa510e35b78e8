package webpush

import "sync"

// lanes run what is sent: few at once, fewer of them to one host, so that one
// that is slow holds up itself alone. The zero value is ready.
type lanes struct {
	mu      sync.Mutex
	running sync.WaitGroup
	busy    int
	byHost  map[string]*lane
	order   []string // hosts for which something waits
	closed  bool
}

type lane struct {
	busy    int
	waiting []func()
}

// run runs a task for a host, or lets it wait; false: too many wait there, or
// nothing is taken any more.
func (l *lanes) run(host string, task func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.byHost == nil {
		l.byHost = map[string]*lane{}
	}
	q := l.byHost[host]
	if q == nil {
		q = &lane{}
		l.byHost[host] = q
	}
	if len(q.waiting) >= maxWaiting {
		return false
	}
	if q.waiting = append(q.waiting, task); len(q.waiting) == 1 {
		l.order = append(l.order, host)
	}
	l.start()
	return true
}

// start begins what may run now, a host after the other.
func (l *lanes) start() {
	for skipped := 0; l.busy < maxSending && skipped < len(l.order); {
		host := l.order[0]
		l.order = l.order[1:]
		q := l.byHost[host]
		if q.busy >= maxForHost {
			l.order = append(l.order, host)
			skipped++
			continue
		}
		skipped = 0
		task := q.waiting[0]
		if q.waiting = q.waiting[1:]; len(q.waiting) > 0 {
			l.order = append(l.order, host)
		}
		l.busy++
		q.busy++
		l.running.Go(func() {
			task()
			l.ended(host)
		})
	}
}

func (l *lanes) ended(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	q := l.byHost[host]
	if q.busy--; q.busy == 0 && len(q.waiting) == 0 {
		delete(l.byHost, host)
	}
	l.start()
}

// close takes nothing more, and waits for all that runs or waits.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.running.Wait()
}
