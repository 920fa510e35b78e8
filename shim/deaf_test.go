package shim_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// overTLS gives clients a certificate besides their networks.
func overTLS(o *shim.Options) {
	for i := range o.Config.RADIUS.Clients {
		c := &o.Config.RADIUS.Clients[i]
		c.Certificates = []string{c.Name + ".example"}
	}
}

// stream opens a connection as a client, whose answers are read by nobody
// unless the test does.
func (r *rig) stream(client string) (theirs net.Conn, served chan error) {
	ours, theirs := net.Pipe()
	served = make(chan error, 1)
	go func() { served <- r.server.ServeStream(ours, []string{client + ".example"}) }()
	return theirs, served
}

var streamed = radius.NewSecret([]byte("radsec"))

// onStream is a login as it comes over TLS.
func (r *rig) onStream(id byte, user, station string) []byte {
	r.t.Helper()
	r.serial++
	w := radius.NewRequest(nil, radius.AccessRequest, id, [16]byte{0xbb, byte(r.serial >> 8), byte(r.serial)})
	w.Add(radius.UserName, []byte(user))
	w.AddPassword(streamed, []byte("pw"))
	w.Add(radius.CallingStationID, []byte(station))
	b, err := streamed.SealRequest(&w)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// Who takes no answers over TLS keeps nobody else from theirs: neither those
// who wait for a push, nor those whom a worker answers.
func TestADeafConnectionHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t, overTLS, func(o *shim.Options) { o.Workers = 4 })
		defer r.close()
		theirs, served := r.stream("vpn")
		if _, err := theirs.Write(r.onStream(0, "push", "deaf")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.waitingFor(1)
		begun := time.Now()
		r.engine.person("id-push", cloud.Approved, "") // its answer is not read
		synctest.Wait()
		for id := range 8 { // refused by workers; nor are these
			if _, err := theirs.Write(r.onStream(byte(id+1), "stranger", "deaf")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		q := pushLogin
		q.id, q.station = 1, "another"
		request := r.start(q)
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("others waited %v for a connection that takes no answers", took)
		}
		if err := <-served; err == nil {
			t.Error("a connection that takes no answers ended without a word")
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("it was kept for %v", took)
		}
		if r.server.Counters().Dropped["send_failed"] == 0 {
			t.Errorf("dropped %v", r.server.Counters().Dropped)
		}
	})
}

// Answers that were given leave before their connection is closed at the end of
// the program; nor do those that nobody takes keep it from ending.
func TestShutdownSendsWhatIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t, overTLS)
		begin := func(station string) (theirs net.Conn, request []byte) {
			theirs, _ = r.stream("vpn")
			request = r.onStream(0, "push", station)
			if _, err := theirs.Write(request); err != nil {
				t.Fatal(err)
			}
			return theirs, request
		}
		theirs, request := begin("laptop")
		for _, station := range []string{"deaf", "deaf too", "deaf as well"} {
			begin(station)
		}
		synctest.Wait()
		r.waitingFor(4)
		begun, ended := time.Now(), make(chan error, 1)
		go func() { ended <- r.stop(context.Background()) }()
		synctest.Wait()
		r.engine.person("id-push", cloud.Approved, "")
		synctest.Wait()
		reply := make([]byte, radius.MaxLength)
		n, err := theirs.Read(reply)
		if err != nil {
			t.Fatal(err)
		}
		want(t, checkReply(t, streamed, reply[:n], request), radius.AccessAccept)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the program took %v to end", took)
		}
	})
}

// Answers that nobody takes are bounded.
func TestADeafConnectionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t, overTLS)
		defer r.close()
		theirs, served := r.stream("vpn")
		begun, sent := time.Now(), 0
		for ; sent < 1000; sent++ {
			if _, err := theirs.Write(r.onStream(byte(sent), "stranger", "deaf")); err != nil {
				break
			}
			synctest.Wait()
		}
		if err := <-served; err == nil || !strings.Contains(err.Error(), "takes no answers") {
			t.Errorf("ended with %v", err)
		}
		if sent < 256 || sent > 300 || time.Since(begun) > time.Second {
			t.Errorf("%d questions within %v", sent, time.Since(begun))
		}
		synctest.Wait()
		if n := strings.Count(r.log.String(), "cannot be sent"); n != 1 {
			t.Errorf("the log has it %d times", n)
		}
	})
}
