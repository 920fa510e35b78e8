// Package observe counts which clients send Message-Authenticator, and says
// when it is safe to require it of them.
//
//	book, lost := observe.Recover(filepath.Join(data, "observe.json"))
//	count := book.Of("vpn", now)          // once a client
//	count.Add(observe.Signed, address, now)
//	err = book.Save()                     // now and then, and at the end
//	...
//	fmt.Println(count.Report("vpn").Advice(now))
//
// A client that is only observed can be forged by whoever can write packets
// on its way (CVE-2024-3596), so observing is meant to end: after [Period]
// without a single request that require would drop, [Report.Safe] says so.
// Counts outlive restarts; what came in since the last Save is lost with a
// crash, which can only make the advice later, or a week too early for a
// client that was asked nothing before. A file of counts that cannot be used
// keeps nobody from counting: [Recover] sets it aside, and the week begins anew.
package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/internal/durable"
)

// Kind is what a request was like.
type Kind int

// Kinds of requests.
const (
	Signed             Kind = iota // with a right Message-Authenticator
	Unsigned                       // without one, otherwise harmless
	UnsignedProxyState             // without one, but with Proxy-State: always dropped
	UnsignedEAP                    // without one, but with EAP-Message: always dropped
	Wrong                          // with a wrong one: always dropped
	Kinds                          // how many there are
)

// String is the kind's name in files, metrics and logs.
func (k Kind) String() string {
	return [Kinds]string{"signed", "unsigned", "unsigned_proxy_state", "unsigned_eap", "wrong"}[k]
}

// Period is how long no request without Message-Authenticator must have come
// in before require is called safe: long enough for what happens once a week.
const Period = 7 * 24 * time.Hour

// maxFile is the largest file of counts that is read, in bytes.
const maxFile = 4 << 20

// Count is one client's counts. All methods may be called concurrently.
type Count struct {
	n [Kinds]atomic.Uint64

	mu    sync.Mutex
	since time.Time
	last  time.Time // of the last that require would drop
	from  netip.Addr
}

// Add counts a request.
func (c *Count) Add(k Kind, from netip.Addr, now time.Time) {
	c.n[k].Add(1)
	if k == Signed || k == Wrong {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.from = now, from
}

// Report returns what has been counted, under a client's name.
func (c *Count) Report(name string) Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Report{Client: name, Since: c.since, Counts: make(map[string]uint64, Kinds)}
	for k := range Kinds {
		r.Counts[k.String()] = c.n[k].Load()
	}
	if !c.last.IsZero() {
		r.LastUnsigned, r.From = c.last, c.from.String()
	}
	return r
}

// Report is a client's counts at one moment, and what the file holds of it.
type Report struct {
	Client       string            `json:"client"`
	Since        time.Time         `json:"since"` // when counting began
	Counts       map[string]uint64 `json:"counts"`
	LastUnsigned time.Time         `json:"last_unsigned,omitzero"`
	From         string            `json:"last_unsigned_from,omitempty"`
}

// Without is how many requests require would have dropped.
func (r Report) Without() uint64 {
	return r.Counts[Unsigned.String()] + r.Counts[UnsignedProxyState.String()] + r.Counts[UnsignedEAP.String()]
}

// Safe tells whether require would have dropped nothing for [Period]. A clock
// that went back counts as no time at all.
func (r Report) Safe(now time.Time) bool {
	return r.Counts[Signed.String()] > 0 && now.Sub(r.Since) >= Period &&
		(r.LastUnsigned.IsZero() || now.Sub(r.LastUnsigned) >= Period)
}

// Advice is a sentence for the operator.
func (r Report) Advice(now time.Time) string {
	signed, without := r.Counts[Signed.String()], r.Without()
	switch {
	case signed+without == 0:
		return "no request has been written down yet, which a running shim does once a minute"
	case r.Safe(now):
		return fmt.Sprintf("require is safe: %d requests with Message-Authenticator, none without for %d days", signed, int(Period.Hours())/24)
	case without > 0 && (now.Before(r.LastUnsigned) || now.Sub(r.LastUnsigned) < Period):
		return fmt.Sprintf("require is not safe yet: %d requests without Message-Authenticator, the last %s from %s; %d with it",
			without, r.LastUnsigned.UTC().Format("2006-01-02 15:04:05Z"), r.From, signed)
	case signed == 0:
		return "require is not safe yet: no request with Message-Authenticator has been seen"
	}
	return fmt.Sprintf("require is not safe yet: all of %d requests had Message-Authenticator, but they are watched only since %s; look again after %s",
		signed, r.Since.UTC().Format(time.DateOnly), r.Since.Add(Period).UTC().Format(time.DateOnly))
}

// Book holds the counts of all clients by name. All methods may be called
// concurrently.
type Book struct {
	path string

	mu     sync.Mutex
	counts map[string]*Count
}

// New returns an empty Book that cannot be saved.
func New() *Book { return &Book{counts: make(map[string]*Count)} }

// Open returns the Book that a file holds; a file that is not there is an
// empty one.
func Open(path string) (*Book, error) {
	b := New()
	b.path = path
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("counts of Message-Authenticator cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("counts of Message-Authenticator cannot be read: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes, so it is no file of counts", path, maxFile)
	}
	var reports []Report
	if err := json.Unmarshal(text, &reports); err != nil {
		return nil, fmt.Errorf("%s is no file of counts: %w", path, err)
	}
	for _, r := range reports {
		if r.Since.IsZero() { // it would be safe at once
			return nil, fmt.Errorf("%s does not say since when client %q is counted, so it is no file of counts", path, r.Client)
		}
		b.counts[r.Client] = r.count()
	}
	return b, nil
}

// Aside is what a file of counts is called, after its own name, that cannot be
// used. It takes the place of one before it.
const Aside = ".damaged"

// Recover returns the Book that a file holds as Open does, for who will save it.
// A file that Open refuses is set aside, and the Book is empty; lost says why,
// and whether the file could be moved.
func Recover(path string) (b *Book, lost error) {
	b, err := Open(path)
	if err == nil {
		return b, nil
	}
	b = New()
	b.path = path
	if moved := os.Rename(path, path+Aside); moved != nil {
		return b, fmt.Errorf("%w; it cannot be set aside: %w", err, moved)
	}
	return b, fmt.Errorf("%w; it is set aside as %s", err, path+Aside)
}

// count goes on counting from a report.
func (r Report) count() *Count {
	c := &Count{since: r.Since, last: r.LastUnsigned}
	c.from, _ = netip.ParseAddr(r.From) // an address that cannot be read is shown as none
	for k := range Kinds {
		c.n[k].Store(r.Counts[k.String()])
	}
	return c
}

// Of returns a client's counts; the first time it begins them.
func (b *Book) Of(name string, now time.Time) *Count {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.counts[name]
	if c == nil {
		c = &Count{since: now}
		b.counts[name] = c
	}
	return c
}

// Reports returns all counts by name.
func (b *Book) Reports() []Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Report, 0, len(b.counts))
	for _, name := range slices.Sorted(maps.Keys(b.counts)) {
		out = append(out, b.counts[name].Report(name))
	}
	return out
}

// Save writes the counts to the file they came from, whole or not at all.
func (b *Book) Save() error {
	if b.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(b.Reports(), "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Replace(b.path, append(text, '\n')); err != nil {
		return fmt.Errorf("counts of Message-Authenticator cannot be written: %w", err)
	}
	return nil
}
