package serve_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine/http/serve"
)

// pipes is a listener whose connections stay in this process.
type pipes struct{ come chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.come
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p *pipes) Close() error   { close(p.come); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.come <- theirs
	return ours, nil
}

// A stream on which nothing is said for longer than one part may take goes on,
// whatever the version of HTTP: browsers speak HTTP/2 with an engine.
func TestAStreamOutlivesItsSilence(t *testing.T) {
	const limit, silence = 10 * time.Second, 25 * time.Second
	for name, protocols := range map[string]*http.Protocols{"HTTP/1.1": {}, "HTTP/2": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				protocols.SetHTTP1(name == "HTTP/1.1")
				protocols.SetUnencryptedHTTP2(name == "HTTP/2")
				server := &http.Server{Protocols: protocols, WriteTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for range 4 {
						if !serve.Send(w, []byte(":\n"), limit) {
							t.Error("nobody took a part")
							return
						}
						select {
						case <-time.After(silence):
						case <-r.Context().Done():
							t.Error("the stream ended while nothing was said")
							return
						}
					}
				})}
				wire := &pipes{come: make(chan net.Conn)}
				served := make(chan error, 1)
				go func() { served <- server.Serve(wire) }()
				transport := &http.Transport{Protocols: protocols, DialContext: wire.dial}
				answer, err := (&http.Client{Transport: transport}).Get("http://engine.example/")
				if err != nil {
					t.Fatal(err)
				}
				lines := 0
				read := bufio.NewScanner(answer.Body)
				for read.Scan() {
					lines++
				}
				if lines != 4 || read.Err() != nil {
					t.Errorf("%d parts came, and then %v", lines, read.Err())
				}
				_ = answer.Body.Close()
				transport.CloseIdleConnections()
				_ = server.Close()
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}
