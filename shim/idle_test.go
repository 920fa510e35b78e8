package shim_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/shim"
)

// A connection that says nothing is ended, and one that says half a packet
// sooner (RFC 6613 section 2.6).
func TestIdleStreamEnds(t *testing.T) {
	for name, test := range map[string]struct {
		said  []byte
		after time.Duration
	}{"nothing": {nil, shim.StreamIdle}, "half a packet": {[]byte{1, 1, 0}, 10 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, overTLS)
				defer r.close()
				ours, theirs := net.Pipe()
				served := make(chan error, 1)
				go func() { served <- r.server.ServeStream(theirs, []string{"full.example"}) }()
				if len(test.said) > 0 {
					if _, err := ours.Write(test.said); err != nil {
						t.Fatal(err)
					}
				}
				begun := time.Now()
				if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("read: %v", err)
				}
				if took := time.Since(begun); took != test.after {
					t.Errorf("ended after %s, want %s", took, test.after)
				}
				if err := <-served; err == nil {
					t.Error("it ended without a reason")
				}
			})
		})
	}
}
