package graph_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/graph"
	"mfabridge/migrate"
)

// inside brings requests to a face within this process, each after latency. A
// lost answer ends as a torn connection does.
type inside struct {
	face      http.Handler
	latency   time.Duration
	requests  atomic.Int64
	throttled atomic.Int64
}

func (i *inside) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	time.Sleep(i.latency) // of the bubble
	i.requests.Add(1)
	defer func() {
		if fault := recover(); fault != nil {
			resp, err = nil, errors.New("connection reset by peer")
		}
	}()
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	i.face.ServeHTTP(w, in)
	if w.Code == http.StatusTooManyRequests {
		i.throttled.Add(1)
	}
	return w.Result(), nil
}

// longPlan moves numbers of many users; it keeps none of them in memory.
type longPlan struct {
	instance string
	ids      []cloud.UserID
}

func (p *longPlan) changes(i int) []migrate.PlannedChange {
	number := fmt.Sprintf("+1 %d55501%02d", 200+i/100%800, i%100)
	all := []cloud.Change{{Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(number)}}
	if i%2 == 0 {
		all = append(all, cloud.Change{Op: cloud.Add, Method: cloud.Office, After: cloud.TextValue(number + "x12")},
			cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("sms")})
	}
	planned := make([]migrate.PlannedChange, len(all))
	for k, c := range all {
		c.User = p.ids[i]
		planned[k] = migrate.PlannedChange{Change: c}
	}
	return planned
}

func (p *longPlan) Header() migrate.Header {
	return migrate.Header{PlanID: "p", Target: migrate.Target{Given: "entra:contoso.example", Instance: p.instance}}
}

func (p *longPlan) Summary() migrate.Summary {
	s := migrate.NewSummary()
	s.Users[migrate.Modify] = len(p.ids)
	return s
}
func (p *longPlan) Digest() string { return "d" }
func (p *longPlan) Sealed() bool   { return true }

func (p *longPlan) Users(context.Context, migrate.View) iter.Seq2[migrate.Decision, error] {
	return func(yield func(migrate.Decision, error) bool) {
		for i, id := range p.ids {
			if !yield(migrate.Decision{Ordinal: i + 1, Username: "user" + itoa(i+1), Target: id, Action: migrate.Modify, Changes: p.changes(i)}, nil) {
				return
			}
		}
	}
}

func (p *longPlan) Problems(context.Context) iter.Seq2[migrate.Finding, error] {
	return func(func(migrate.Finding, error) bool) {}
}

// forgetful is a journal that nobody reads.
type forgetful struct{}

func (forgetful) Begin(context.Context, migrate.Phase) (int, error) { return 1, nil }
func (forgetful) Entries(context.Context, int, int) ([]migrate.JournalEntry, error) {
	return nil, nil
}
func (forgetful) Intend(context.Context, int, []migrate.JournalEntry) error { return nil }
func (forgetful) Record(context.Context, int, []migrate.JournalEntry) error { return nil }
func (forgetful) Undone(context.Context, int, []migrate.UndoneEntry) error  { return nil }

// spent is what a simulated run of apply came to.
type spent struct {
	writes, requests, throttled int
	took                        time.Duration // on the clock of the bubble
	early, late                 uint64        // bytes of heap, a tenth into the run and at its end
}

// share is how much of the published budget of writes was used.
func (s spent) share() float64 { return float64(s.writes) / (publishedWrites * s.took.Seconds()) }

// publishedWrites is what an application may write in a tenant in a second:
// 3,000 in 150 s.
const publishedWrites = 20

// simulate applies a plan for n users to a rehearsal with the published limits,
// on a clock that waits for nothing, with so many calls at a time of requests
// that take so long. Every change must be made.
func simulate(t *testing.T, n, lanes int, latency time.Duration, assume ...string) (s spent) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRehearsal(t, engine.Assumptions{}, time.Now, assume...)
		wire := &inside{face: r.face, latency: latency}
		r.url, r.transport = "http://127.0.0.1", wire
		d := r.open(t, func(o *graph.Options) { o.Writes, o.Sleep = publishedWrites, nil })
		p := &longPlan{instance: r.engine.Instance(), ids: r.people(t, n)}
		begin := time.Now()
		result, err := migrate.Apply(t.Context(), p, forgetful{}, d, migrate.ApplyOptions{Concurrency: lanes, Progress: func(g migrate.Progress) {
			if s.early == 0 && g.Users >= n/10 {
				s.early = heap()
			}
		}})
		s.took, s.late = time.Since(begin), heap()
		s.writes, s.requests, s.throttled = result.Changes[cloud.Done], int(wire.requests.Load()), int(wire.throttled.Load())
		if err != nil || result.Done != n || result.Changes[cloud.Failed]+result.Changes[cloud.Outdated]+result.Changes[cloud.Already] > 0 {
			t.Errorf("apply: %v, %+v", err, result)
		}
		standing(t, r, p)
	})
	return s
}

// standing looks in the store whether every change is there.
func standing(t *testing.T, r *rehearsed, p *longPlan) {
	t.Helper()
	missing := 0
	for from := 0; from < len(p.ids); from += 20 {
		users, err := r.engine.Read(t.Context(), p.ids[from:min(from+20, len(p.ids))])
		check(t, err)
		for k := range users {
			for _, c := range p.changes(from + k) {
				if !users[k].Value(c.Method, "", c.After).Equal(c.After) {
					missing++
				}
			}
		}
	}
	if missing > 0 {
		t.Errorf("%d changes are lost", missing)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The published limits are used to 95 % of their budget, and no change is lost.
// MFABRIDGE_BENCH_USERS=50000 is what make bench asks for: requests are slower
// then, and several Writes on their way together.
func TestBudget(t *testing.T) {
	n, lanes, latency := 600, 1, 100*time.Millisecond
	if given, err := strconv.Atoi(os.Getenv("MFABRIDGE_BENCH_USERS")); err == nil {
		n, lanes, latency = given, 4, 200*time.Millisecond
	}
	s := simulate(t, n, lanes, latency)
	fmt.Printf("BudgetOfGraph\t%d users\t%d writes in %v\t%.1f %% of 20 writes a second\t%d requests of %v, %d at a time, %d throttled\theap %.1f MiB a tenth into the run, %.1f MiB at its end\n",
		n, s.writes, s.took.Round(time.Second), 100*s.share(), s.requests, latency, lanes, s.throttled, float64(s.early)/(1<<20), float64(s.late)/(1<<20))
	if s.share() < 0.95 || s.share() > 1.05 { // the burst at the beginning
		t.Errorf("%.1f %% of the budget is used", 100*s.share())
	}
	if s.late > s.early+8<<20 {
		t.Errorf("the heap grows from %d to %d bytes", s.early, s.late)
	}
}
