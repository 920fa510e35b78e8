package native_test

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// trusting is a directory that knows everybody's password without work.
type trusting struct{}

func (trusting) Prove(_ context.Context, name string, _ secret.Bytes, _ cloud.Client) (engine.Proven, error) {
	return engine.Proven{OK: true, Subject: cloud.Key{Kind: cloud.ByName, Value: name}}, nil
}

// BenchmarkSignIn is a whole sign-in, six requests and one text, with a
// directory in place of the password's hash: everything durable and audited,
// tokens signed. At least 200 a CPU second.
func BenchmarkSignIn(b *testing.B) {
	h := build(b)
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": trusting{}}, "corp"); err != nil {
		b.Fatal(err)
	}
	const people = 200
	var names []string
	for i := range people {
		names = append(names, fmt.Sprintf("user%d@contoso.example", i))
		id, err := h.AddUser(b.Context(), operator, cloud.Profile{UPN: names[i], Enabled: true})
		if err != nil {
			b.Fatal(err)
		}
		number := fmt.Sprintf("+1 425555%04d", 1000+i)
		if r := h.Write(b.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(number)}}); r[0].Outcome != cloud.Done {
			b.Fatalf("%+v", r[0])
		}
	}
	var start, end syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &start); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		h.Advance(time.Minute) // limits on texts are not what is measured
		h.from = fmt.Sprintf("10.%d.%d.1:9", n/250%250, n%250)
		a := h.sent(b, names[n%people], "sms")
		code, _ := h.texts.last(b)
		if got := h.coded(a.token(b), code); got.status != http.StatusOK {
			b.Fatalf("%d %s", got.status, got.raw)
		}
		n++
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &end); err != nil {
		b.Fatal(err)
	}
	cpu := time.Duration(end.Utime.Nano() + end.Stime.Nano() - start.Utime.Nano() - start.Stime.Nano()).Seconds()
	b.ReportMetric(float64(n)/cpu, "sign-ins/cpu-s")
}
