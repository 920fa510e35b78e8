package shim_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// asker is an engine that knows whether whoever it has ask people is there.
type asker struct {
	*fakeEngine
	lost atomic.Bool
}

func (a *asker) Outage(cloud.ChallengeID) error { return a.Ready(context.Background()) }

func (a *asker) Ready(context.Context) error {
	if !a.lost.Load() {
		return nil
	}
	return &cloud.Error{Kind: cloud.Unavailable, Message: "it does not live", Err: errors.New("a server is gone")}
}

// Nobody has decided a login whose server is gone: that is silence, or what
// on_outage says, whether its time ends here or there. Of one that lives it is a
// refusal.
func TestServerBehindTheEngineIsAwayWhileALoginWaits(t *testing.T) {
	for _, there := range []bool{false, true} { // where the time ends
		synctest.Test(t, func(t *testing.T) {
			a := new(asker)
			r, _ := holding(t, func(o *shim.Options) {
				a.fakeEngine = o.Passwords.(*fakeEngine)
				o.Verifier = a
			})
			defer r.close()
			end := func() {
				if there {
					r.engine.person("id-push", cloud.Expired, cloud.TimedOut)
				}
			}
			a.lost.Store(true)
			r.start(pushLogin)
			end()
			strict := pushLogin
			strict.from, strict.id = rejects, 1
			request := r.start(strict)
			end()
			want(t, r.checked(r.receive(), request), radius.AccessReject)
			r.waitingFor(0)
			if got := r.server.Counters(); got.Reasons["outage"] != 2 || got.Reasons["timed_out"] != 0 {
				t.Errorf("reasons %v", got.Reasons)
			}
			if r.server.Ready(t.Context()) == nil {
				t.Error("it is ready")
			}
			w := radius.NewRequest(nil, radius.StatusServer, 3, [16]byte{1})
			status, err := r.secret.SealRequest(&w)
			if err != nil {
				t.Fatal(err)
			}
			r.send(status, ask{from: vpn}.source())
			synctest.Wait()
			r.silent("Status-Server while nobody can be asked")

			a.lost.Store(false)
			r.send(status, ask{from: vpn}.source())
			want(t, r.checked(r.receive(), status), radius.AccessAccept)
			later := pushLogin
			later.id, later.station = 7, "another"
			request = r.start(later)
			end()
			want(t, r.checked(r.receive(), request), radius.AccessReject)
			if got := r.server.Counters(); got.Reasons["outage"] != 2 || got.Reasons["timed_out"] != 1 {
				t.Errorf("reasons %v", got.Reasons)
			}
		})
	}
}
