package shim_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// bySettling is set in the environment of a run of these tests whose engine is
// a [cloud.Settler].
const bySettling = "MFABRIDGE_TEST_BY_SETTLING"

// Everything that holds with workers holds with clerks.
func TestEverythingWithClerks(t *testing.T) {
	if os.Getenv(bySettling) != "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^Test", "-test.short")
	cmd.Env = append(os.Environ(), bySettling+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// moody is a Settler that does what it is told, once a round.
type moody struct {
	settling
	do func(ctx context.Context, cases []cloud.Case) (done bool)
}

func (m *moody) Settle(ctx context.Context, cases []cloud.Case) {
	if !m.do(ctx, cases) {
		m.settling.Settle(ctx, cases)
	}
}

// Whatever a round comes to, its requests and the clerk are there for the next
// ones, and a request that got no answer is judged when it comes again.
func TestRoundsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(moody)
		r := newRig(t, func(o *shim.Options) {
			m.settling = settling{fakeOf(o.Verifier)}
			o.Verifier, o.Workers, o.Queue = m, 2, 2
		})
		defer r.close()
		moods := map[string]func(context.Context, []cloud.Case) bool{
			"fault": func(context.Context, []cloud.Case) bool { panic("a fault of the engine") },
			"fault, too late": func(ctx context.Context, cases []cloud.Case) bool {
				m.settling.Settle(ctx, cases)
				panic("a fault of the engine")
			},
			"hangs": func(ctx context.Context, cases []cloud.Case) bool {
				<-ctx.Done()
				for i := range cases {
					cases[i].Err = &cloud.Error{Kind: cloud.Unavailable, Err: ctx.Err()}
				}
				return true
			},
			"nothing": func(context.Context, []cloud.Case) bool { return true },
		}
		for name, mood := range moods {
			for n := range 10 {
				m.do = mood
				r.engine.set(func() { clear(r.engine.used) })
				q := ask{user: "ada", password: "123456", station: fmt.Sprint(name, n), id: byte(n)}
				request := r.build(q)
				r.send(request, q.source())
				synctest.Wait()
				if name == "hangs" {
					time.Sleep(shim.DefaultCallTimeout)
					synctest.Wait()
				}
				if name == "nothing" { // a case that nobody has looked at is no approval
					want(t, r.checked(r.receive(), request), radius.AccessReject)
					continue
				}
				r.silent(name)
				m.do = func(context.Context, []cloud.Case) bool { return false }
				r.send(request, q.source())
				want(t, r.checked(r.receive(), request), radius.AccessAccept)
			}
		}
	})
}
