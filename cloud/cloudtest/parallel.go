package cloudtest

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"mfabridge/cloud"
)

// together runs f many times at once and counts the answers.
func together[K comparable](f func(i int) K) map[K]int {
	const many = 50
	got := make([]K, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { got[i] = f(i) })
	}
	wg.Wait()
	count := map[K]int{}
	for _, k := range got {
		count[k]++
	}
	return count
}

func parallelAnswers(t *testing.T, p *Peer) {
	c := p.begin(t, request(p.enrol(t, 1), 1), cloud.Pending)
	ctx := context.WithoutCancel(t.Context())
	count := together(func(int) cloud.State {
		d, err := p.Verifier.Answer(ctx, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)})
		if err != nil {
			t.Error(err)
		}
		return d.State
	})
	if count[cloud.Approved] != 1 || count[cloud.Refused] != 49 {
		t.Errorf("50 answers at once: %v", count)
	}
}

func parallelLogins(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	ctx := context.WithoutCancel(t.Context())
	count := together(func(i int) cloud.State {
		r := request(id, 1)
		r.Client.Station = rand.Text() // each from elsewhere: no limit may help
		r.Code = p.code(1, 0)
		c, err := p.Verifier.Begin(ctx, r)
		if err != nil {
			t.Error(err)
		}
		return c.State
	})
	if count[cloud.Approved] != 1 || count[cloud.Refused] != 49 {
		t.Errorf("50 logins with one code: %v", count)
	}
}

func parallelRepeats(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	ctx := context.WithoutCancel(t.Context())
	type verdict struct {
		id    cloud.ChallengeID
		state cloud.State
	}
	count := together(func(int) verdict {
		r := request(id, 1)
		r.Key, r.Code = "one login", p.code(1, 0)
		c, err := p.Verifier.Begin(ctx, r)
		if err != nil {
			t.Error(err)
		}
		return verdict{c.ID, c.State}
	})
	for v, n := range count {
		if len(count) != 1 || v.state != cloud.Approved {
			t.Errorf("%d of 50 equal requests got %+v", n, v)
		}
	}
}
