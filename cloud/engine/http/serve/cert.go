package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
)

// lookEvery is how often a certificate's files are looked at for a change.
const lookEvery = 10 * time.Second

// Certificate is a certificate in two files that is read again when they
// change: at most every ten seconds, by a handshake, or by Reload. One that
// cannot be read leaves the one before in use.
type Certificate struct {
	cert, key string
	now       func() time.Time
	current   atomic.Pointer[tls.Certificate]
	failed    func(error) // hears why a change was not taken

	mu     sync.Mutex
	looked time.Time
	state  fileState
}

type fileState struct {
	cert, key time.Time
	sizes     [2]int64
}

// LoadCertificate reads PEM files. failed hears of later changes that cannot
// be taken; nil: nobody does.
func LoadCertificate(cert, key string, now func() time.Time, failed func(error)) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, now: now, failed: failed}
	return c, c.Reload()
}

// Reload reads the files now.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, err := c.stat()
	if err != nil {
		return err
	}
	return c.load(state)
}

// Become takes over what another certificate has read, from other files
// perhaps. The other one is not used any more.
func (c *Certificate) Become(other *Certificate) {
	other.mu.Lock()
	defer other.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cert, c.key, c.state, c.looked = other.cert, other.key, other.state, other.looked
	c.current.Store(other.current.Load())
}

func (c *Certificate) load(state fileState) error {
	pair, err := regular.Pair(c.cert, c.key)
	if err != nil {
		return hint.Wrap(fmt.Errorf("certificate %s cannot be used: %w", c.cert, err), "certificate and key are PEM files that belong together")
	}
	if now := c.now(); now.After(pair.Leaf.NotAfter) {
		return hint.New(fmt.Sprintf("certificate %s ended at %s", c.cert, pair.Leaf.NotAfter.UTC().Format(time.RFC3339)), "put a certificate that is valid in its place")
	}
	c.state = state
	c.looked = c.now()
	c.current.Store(&pair)
	return nil
}

func (c *Certificate) stat() (fileState, error) {
	a, err := os.Stat(c.cert)
	b, err2 := os.Stat(c.key)
	if err := errors.Join(err, err2); err != nil {
		return fileState{}, hint.Wrap(fmt.Errorf("certificate cannot be read: %w", err), "name files that are there")
	}
	return fileState{a.ModTime(), b.ModTime(), [2]int64{a.Size(), b.Size()}}, nil
}

// look takes a change of the files, if it is time to look.
func (c *Certificate) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked).Abs() < lookEvery {
		return
	}
	c.looked = c.now()
	state, err := c.stat()
	if err == nil && state != c.state {
		err = c.load(state)
	}
	if err != nil && c.failed != nil {
		c.failed(err)
	}
}

// Config is TLS 1.2 and above with this certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.look()
			return c.current.Load(), nil
		}}
}

// Until is when the certificate in use ends.
func (c *Certificate) Until() time.Time {
	c.look()
	return c.current.Load().Leaf.NotAfter
}
