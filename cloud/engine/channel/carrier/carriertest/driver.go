// Package carriertest checks drivers of package carrier by one suite, each
// against the provider that its test plays.
//
//	carriertest.Driver(t, func(t *testing.T) *carriertest.Peer { … })
//
// The provider of a peer reacts as the suite says ([Reaction]); the suite looks
// at what the driver says of it, at what the provider was given, and at every
// error for words that nobody may read.
package carriertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/hint"
)

// Reaction is what a provider does with messages.
type Reaction int

// Reactions.
const (
	Accept   Reaction = iota
	Refuse            // it does not take this message
	Absent            // the number has no such channel
	Busy              // it takes nothing now
	Silent            // it reads, and never answers
	Cut               // it reads, and breaks the connection
	Redirect          // it names another address
)

// Provider is what a test plays.
type Provider interface {
	// React says what becomes of messages from now on.
	React(Reaction)

	// Had are the numbers of the messages that came, in digits, in their order and
	// whatever was said of them; of mail the addresses.
	Had() []string
}

// Peer is a driver under test with what the suite needs around it.
type Peer struct {
	Driver   carrier.Driver
	Provider Provider

	// Reopen opens the same driver once more, as after a restart. Nowhere has it call
	// an address where nobody is; Inside has it call the provider without leave to
	// call private networks; Stranger knows other secrets. Patient waits
	// eight seconds for an answer, for what is much at once on a slow machine, and
	// Hasty only two, for what gets none.
	Reopen, Nowhere, Inside, Stranger, Patient, Hasty func(t *testing.T) carrier.Driver

	// Number is where note n goes, other than a telephone.
	Number func(n int) string

	// Secrets are words of the configuration.
	Secrets []string

	// Statuses are what the provider tells of messages. Tell makes it tell one: a
	// call for a [carrier.Hook], nil where it has told by itself.
	Statuses []carrier.Status
	Tell     func(t *testing.T, n carrier.Note, taken carrier.Taken, s carrier.Status) *carrier.Call
	Sign     string        // the header of its signature
	Fresh    time.Duration // how old a call may be; 0: it does not say when it was made

	// Revoked tells whether the provider has called a message back.
	Revoked func(n carrier.Note) bool

	// Lacks names checks that do not fit, each with the reason.
	Lacks map[string]string

	told chan carrier.Receipt // by a [carrier.Reporter]
}

// Driver checks a driver. open returns a fresh peer, and cleans up after t.
func Driver(t *testing.T, open func(t *testing.T) *Peer) {
	checks := map[string]func(*testing.T, *Peer){
		"a note is taken over":             takes,
		"a note is refused":                refuses,
		"a number without the channel":     absent,
		"a provider that is busy":          busy,
		"a provider that is silent":        silent,
		"a connection that breaks":         cut,
		"nobody is there":                  nowhere,
		"a redirect":                       redirect,
		"an address inside":                inside,
		"time is up":                       timeIsUp,
		"many at once":                     manyAtOnce,
		"a repeat is told":                 repeat,
		"a message is called back":         callBack,
		"receipts":                         receipts,
		"receipts late and in their order": lateReceipts,
		"forged receipts":                  forged,
		"the end":                          end,
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			for lack := range p.Lacks {
				if checks[lack] == nil {
					t.Fatalf("there is no check %q to lack", lack)
				}
			}
			if why := p.Lacks[name]; why != "" {
				t.Logf("it does not fit: %s", why)
				return
			}
			p.told = make(chan carrier.Receipt, 100)
			p.listen(p.Driver)
			check(t, p)
		})
	}
}

func (p *Peer) listen(d carrier.Driver) {
	if r, ok := d.(carrier.Reporter); ok {
		r.Report(func(receipt carrier.Receipt) { p.told <- receipt })
	}
}

// code is the code of all notes.
const code = "482913"

// note is the nth one.
func (p *Peer) note(n int) carrier.Note {
	note := carrier.Note{ID: fmt.Sprintf("c%d", n), Public: fmt.Sprintf("%032x", 0xabc000+n), Number: fmt.Sprintf("+442079460%03d", n), Text: "Your code for VPN is " + code + ".",
		Code: code, Application: "VPN", Language: "default", Life: 5 * time.Minute}
	if p.Number != nil {
		note.Number = p.Number(n)
	}
	return note
}

// had tells how often the provider was given a note.
func (p *Peer) had(n carrier.Note) (times int) {
	for _, number := range p.Provider.Had() {
		if number == strings.TrimPrefix(n.Number, "+") {
			times++
		}
	}
	return times
}

// patience is how long a driver may take at the most: much longer than its own
// time-out, which tests set to four seconds.
const patience = time.Minute

// send hands a note over, and says no to a driver that takes too long and to an
// error that tells what nobody may read.
func (p *Peer) send(ctx context.Context, t *testing.T, d carrier.Driver, n carrier.Note) (carrier.Taken, error) {
	t.Helper()
	begun := time.Now()
	taken, err := d.Send(ctx, n)
	if took := time.Since(begun); took > patience {
		t.Errorf("it took %v", took)
	}
	p.quiet(t, n, err)
	if err != nil && taken.ID != "" {
		t.Errorf("an error, and the id %q", taken.ID)
	}
	return taken, err
}

// quiet looks for what nobody may read in an error.
func (p *Peer) quiet(t *testing.T, n carrier.Note, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v %s", err, err, hint.Of(err))
	number := strings.TrimPrefix(n.Number, "+")
	for _, word := range append([]string{n.Number, number, strings.TrimPrefix(number, "44"), code}, p.Secrets...) {
		if strings.Contains(text, word) {
			t.Errorf("the error holds %s: %s", word, text)
		}
	}
}
