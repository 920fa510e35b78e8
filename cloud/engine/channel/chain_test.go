package channel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
)

var operator = engine.Actor{Who: "operator", Reason: "test"}

// office is an engine with channels over one store.
type office struct {
	*engine.Engine
	*cloudtest.Clock
	channels *channel.Channels
	path     string
	folder   string // of it
	stop     context.CancelFunc
}

// newOffice makes a store and opens an engine on it. FOLDER stands for its folder
// in the configuration.
func newOffice(t *testing.T, text string) *office {
	t.Helper()
	o := &office{Clock: cloudtest.NewClock()}
	o.path = enginetest.Create(t, engine.Setup{Domains: []string{"contoso.example"}, Now: o.Now()})
	o.folder = filepath.Dir(o.path)
	o.open(t, text)
	return o
}

// open opens the engine and its channels; what was open before is left as a
// process leaves it that is killed.
func (o *office) open(t *testing.T, text string) {
	t.Helper()
	conf, err := parse(t, strings.ReplaceAll(text, "FOLDER", o.folder))
	if err != nil {
		t.Fatal(err)
	}
	box := enginetest.Outbox(t, o.path)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if o.channels, err = channel.Open(channel.Options{Config: conf, Outbox: box, PublicURL: "https://mfa.contoso.example", Now: o.Now, Log: log}); err != nil {
		t.Fatal(err)
	}
	o.Engine, _ = enginetest.Open(t, o.path, engine.Config{Now: o.Now, Senders: o.channels.Senders(box), Log: log})
	if err := o.channels.Attach(t.Context(), o.Engine); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.channels.Close() })
}

// run lets messages go on to their next channel.
func (o *office) run(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { o.channels.Run(ctx); close(done) }()
	o.stop = func() { stop(); <-done }
	t.Cleanup(o.stop)
}

// user has a mobile and nothing else.
func (o *office) user(t *testing.T, name, number string) cloud.UserID {
	t.Helper()
	id, err := o.AddUser(t.Context(), operator, cloud.Profile{UPN: name + "@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range o.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(number)}}) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return id
}

func (o *office) ask(t *testing.T, id cloud.UserID, method cloud.Preference) cloud.Challenge {
	t.Helper()
	c, err := o.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Method: method, Client: cloud.Client{App: "vpn", Station: "s"}, Tries: 3})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files are the messages in a folder, oldest first.
func (o *office) files(t *testing.T, folder string) (all []channel.Written) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(o.folder, folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var w channel.Written
		if err := json.Unmarshal(content, &w); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

// until waits for what another goroutine does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("%s did not happen", what)
		}
	}
}

func codeOf(w channel.Written) string {
	_, code, _ := strings.Cut(w.Text, " is ")
	return code[:6]
}

const chain = `text: {providers: [{name: sms, mode: live, outbox: {folder: FOLDER/sms}}]}
whatsapp: {providers: [{name: wa, mode: live, outbox: {folder: FOLDER/wa, reaches: ["+9198"], receipts: RECEIPTS}}]}
rcs: {countries: [all], providers: [{name: rcs, mode: live, outbox: {folder: FOLDER/rcs, reaches: ["+44"], receipts: none}}]}
`

func withReceipts(word string) string { return strings.Replace(chain, "RECEIPTS", word, 1) }

// A number with WhatsApp gets its code there, and hears so once by SMS; one
// without gets the same code by SMS, and is not tried again.
func TestTextGoesByTheChannelThatANumberHas(t *testing.T) {
	o := newOffice(t, withReceipts("delivered"))
	o.run(t)
	has, hasNot, closed := o.user(t, "asha", "+91 9812345678"), o.user(t, "ravi", "+91 8812345678"), o.user(t, "tim", "+1 4255550100")
	c := o.ask(t, has, "")
	until(t, "the announcement", func() bool { return len(o.files(t, "sms")) == 1 })
	told := o.files(t, "sms")[0]
	if !strings.Contains(told.Text, "WhatsApp") || strings.ContainsAny(told.Text, "0123456789") || told.To != "+919812345678" {
		t.Errorf("announced: %+v", told)
	}
	wa := o.files(t, "wa")
	if len(wa) != 1 || c.State != cloud.Pending {
		t.Fatalf("by WhatsApp: %+v", wa)
	}
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(codeOf(wa[0]))}); err != nil || d.State != cloud.Approved {
		t.Errorf("the code: %+v, %v", d, err)
	}
	o.ask(t, has, "")
	until(t, "the second message", func() bool { return len(o.files(t, "wa")) == 2 })
	// The one without.
	c = o.ask(t, hasNot, "")
	sms := o.files(t, "sms")
	i := slices.IndexFunc(sms, func(w channel.Written) bool { return w.ID == string(c.ID) })
	if len(sms) != 2 || i < 0 || len(o.files(t, "wa")) != 2 {
		t.Fatalf("by SMS: %+v", sms)
	}
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(codeOf(sms[i]))}); err != nil || d.State != cloud.Approved {
		t.Errorf("the code by SMS: %+v, %v", d, err)
	}
	o.ask(t, closed, "")
	if sms := o.files(t, "sms"); len(sms) != 3 || len(o.files(t, "wa")) != 2 {
		t.Errorf("a country outside: %+v", sms)
	}
}

// Without a receipt in time the same code goes by the next channel, once; a late
// receipt and a repeated one change nothing, and both messages count as one.
func TestTextFallsBackWithoutAReceipt(t *testing.T) {
	o := newOffice(t, withReceipts("none"))
	o.run(t)
	id := o.user(t, "asha", "+91 9812345678")
	c := o.ask(t, id, "")
	if len(o.files(t, "wa")) != 1 || len(o.files(t, "sms")) != 0 {
		t.Fatal("it did not begin with WhatsApp")
	}
	o.Advance(16 * time.Second)
	until(t, "the fall-back", func() bool { return len(o.files(t, "sms")) == 1 })
	wa, sms := o.files(t, "wa")[0], o.files(t, "sms")[0]
	if codeOf(wa) != codeOf(sms) || wa.ID != sms.ID {
		t.Errorf("%+v and %+v", wa, sms)
	}
	o.Advance(time.Minute)
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(codeOf(sms))}); err != nil || d.State != cloud.Approved {
		t.Errorf("the code: %+v, %v", d, err)
	}
	o.ask(t, id, "") // WhatsApp is left alone for a while
	if len(o.files(t, "wa")) != 1 || len(o.files(t, "sms")) != 2 {
		t.Error("a number that was not reached was tried again at once")
	}
	o.Advance(2 * time.Hour)
	o.ask(t, id, "")
	if len(o.files(t, "wa")) != 2 {
		t.Error("a number that was not reached once is never tried again")
	}
}

// A login that is over gets no further message.
func TestNothingFollowsALoginThatIsOver(t *testing.T) {
	o := newOffice(t, withReceipts("none"))
	id := o.user(t, "asha", "+91 9812345678")
	c := o.ask(t, id, "")
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(codeOf(o.files(t, "wa")[0]))}); err != nil || d.State != cloud.Approved {
		t.Fatalf("%+v, %v", d, err)
	}
	o.Advance(16 * time.Second)
	b, ok, err := o.Board(t.Context(), c.ID, func(string) bool { return false })
	if ok || err != nil {
		t.Errorf("something is to be sent: %+v, %v", b, err)
	}
	if due, err := o.DueFlights(t.Context(), 10); err != nil || len(due) > 0 {
		t.Errorf("due: %v, %v", due, err)
	}
}

// Policy takes a channel from a group, or from all; without texts nobody is
// asked by any of them.
func TestPolicyClosesChannels(t *testing.T) {
	o := newOffice(t, withReceipts("none"))
	id := o.user(t, "asha", "+91 9812345678")
	group, err := o.AddGroup(t.Context(), operator, "no chat")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.AddUserToGroup(t.Context(), operator, group, id),
		o.SetPolicy(t.Context(), operator, engine.PolicyWhatsApp, engine.MethodPolicy{Enabled: true, Exclude: []string{group}})); err != nil {
		t.Fatal(err)
	}
	o.ask(t, id, "")
	if len(o.files(t, "wa")) != 0 || len(o.files(t, "sms")) != 1 {
		t.Error("it went by WhatsApp")
	}
	if err := o.SetPolicy(t.Context(), operator, engine.PolicySMS, engine.MethodPolicy{}); err != nil {
		t.Fatal(err)
	}
	if c := o.ask(t, id, ""); c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("without texts: %+v", c)
	}
}

// A process that ends while it sends leaves a message that another one takes
// up: by the same channel where its provider tells a repeat, else by the next.
func TestRestartWithAMessageInFlight(t *testing.T) {
	for _, repeats := range []bool{true, false} {
		t.Run(fmt.Sprint(repeats), func(t *testing.T) {
			o := newOffice(t, withReceipts("none"))
			id := o.user(t, "asha", "+91 9812345678")
			c := o.ask(t, id, "")
			// As if nobody had recorded that WhatsApp took it.
			o.forgetTaken(t, c.ID)
			o.Advance(21 * time.Second)
			b, ok, err := o.Board(t.Context(), c.ID, func(string) bool { return repeats })
			if err != nil || !ok || b.Again != repeats || repeats != (len(b.Lost) == 0) || repeats != (b.At == 0) {
				t.Fatalf("%+v, %v, %v", b, ok, err)
			}
			if _, ok, err := o.Board(t.Context(), c.ID, func(string) bool { return repeats }); ok || err != nil {
				t.Errorf("a second node has it too, %v", err)
			}
		})
	}
}

// forgetTaken puts a flight back to where it was while it was sent.
func (o *office) forgetTaken(t *testing.T, id cloud.ChallengeID) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), o.path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		f, err := tx.Flight(id)
		if err != nil {
			return err
		}
		f.State = []byte(strings.Replace(string(f.State), `"taken"`, `"sending"`, 1))
		f.Due = o.Now().Add(20 * time.Second)
		return tx.PutFlight(f)
	}); err != nil {
		t.Fatal(err)
	}
}

// Several nodes take each message that is due once.
func TestDueMessageIsOneNodes(t *testing.T) {
	o := newOffice(t, withReceipts("none"))
	c := o.ask(t, o.user(t, "asha", "+91 9812345678"), "")
	o.Advance(16 * time.Second)
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 16 {
		wg.Go(func() {
			_, ok, err := o.Board(context.Background(), c.ID, func(string) bool { return false })
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				taken++
			}
		})
	}
	wg.Wait()
	if taken != 1 {
		t.Errorf("%d have it", taken)
	}
}

// Receipts in any order, twice, late, and of nobody.
func TestReceiptsInAnyOrder(t *testing.T) {
	for name, c := range map[string]struct {
		told []engine.LegStatus
		sms  bool // the next channel is asked
	}{
		"in order":                 {[]engine.LegStatus{engine.LegSent, engine.LegDelivered, engine.LegRead}, false},
		"read alone":               {[]engine.LegStatus{engine.LegRead}, false},
		"sent behind read":         {[]engine.LegStatus{engine.LegRead, engine.LegSent}, false},
		"failed behind delivered":  {[]engine.LegStatus{engine.LegDelivered, engine.LegFailed, engine.LegUnreachable}, false},
		"failed":                   {[]engine.LegStatus{engine.LegSent, engine.LegFailed}, true},
		"failed twice":             {[]engine.LegStatus{engine.LegFailed, engine.LegFailed}, true},
		"unreachable":              {[]engine.LegStatus{engine.LegUnreachable}, true},
		"delivered behind failed":  {[]engine.LegStatus{engine.LegFailed, engine.LegDelivered}, false},
		"sent and nothing more":    {[]engine.LegStatus{engine.LegSent}, false},
		"what is not known at all": {[]engine.LegStatus{"eaten"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, withReceipts("none"))
			id := o.user(t, "asha", "+91 9812345678")
			ch := o.ask(t, id, "")
			receipt := engine.ReceiptName(engine.ChannelWhatsApp, "wa", "wamid.1")
			if _, err := o.Logged(t.Context(), engine.Leg{Flight: ch.ID, Status: engine.LegTaken, Receipts: []string{receipt}, Wait: 15 * time.Second}); err != nil {
				t.Fatal(err)
			}
			for _, s := range c.told {
				if _, known, err := o.Land(t.Context(), receipt, s); !known || err != nil {
					t.Fatalf("%s: known %v, %v", s, known, err)
				}
			}
			due, err := o.DueFlights(t.Context(), 10)
			if err != nil || (len(due) == 1) != c.sms {
				t.Errorf("due: %v, %v", due, err)
			}
			if _, known, err := o.Land(t.Context(), engine.ReceiptName(engine.ChannelWhatsApp, "wa", "wamid.2"), engine.LegDelivered); known || err != nil {
				t.Errorf("a message of nobody is known, %v", err)
			}
		})
	}
}

// A provider that is dead or slow holds as many callers as it may, and nobody
// else: pushes, codes of generators and other channels go on.
func TestSlowProviderDelaysNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &waits{}
		for _, c := range []struct {
			sender engine.Sender
			places int
		}{{channel.SlowTexts(slow, 4), 4}} {
			var wg sync.WaitGroup
			var mu sync.Mutex
			busy := 0
			for range 20 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
					defer cancel()
					if err := c.sender.Send(ctx, to("x")); err != nil && strings.Contains(err.Error(), "too many") {
						mu.Lock()
						busy++
						mu.Unlock()
					}
				})
			}
			synctest.Wait()
			if busy != 20-c.places {
				t.Errorf("%d were sent away, and %d wait", busy, 20-busy)
			}
			wg.Wait()
		}
	})
}

// A message that is on its way to a channel that a new configuration has not any
// more goes on to the next one.
func TestChannelIsGoneAfterARestart(t *testing.T) {
	o := newOffice(t, withReceipts("none"))
	c := o.ask(t, o.user(t, "asha", "+91 9812345678"), "")
	if len(o.files(t, "wa")) != 1 {
		t.Fatal("it did not begin with WhatsApp")
	}
	o.open(t, `text: {providers: [{name: sms, mode: live, outbox: {folder: FOLDER/sms}}]}
voice: {countries: ["+44"], providers: [{name: calls, mode: live, outbox: {folder: FOLDER/calls}}]}
whatsapp: {providers: [{name: wa, mode: off, outbox: {folder: FOLDER/wa}}]}
`)
	o.run(t)
	o.Advance(16 * time.Second)
	until(t, "the fall-back", func() bool { return len(o.files(t, "sms")) == 1 })
	if wa, sms := o.files(t, "wa")[0], o.files(t, "sms")[0]; codeOf(wa) != codeOf(sms) || sms.ID != string(c.ID) {
		t.Errorf("%+v and %+v", wa, sms)
	}
}

// Messages that wait for a channel that hangs hold none that goes to another one.
func TestFallBacksOfOneChannelHoldNoOther(t *testing.T) {
	text := `text: {providers: [{name: sms, mode: live, http: {profile: json, url: "URL", vars: {from: Contoso}, allow_private: true, timeout: 8s}}]}
whatsapp: {countries: [all], providers: [{name: wa, mode: live, outbox: {folder: FOLDER/wa, receipts: none}}]}
rcs: {countries: ["+91"], providers: [{name: rcs, mode: live, outbox: {folder: FOLDER/rcs, receipts: none}}]}
`
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { silent(r) }))
	defer hangs.Close()
	defer hangs.CloseClientConnections()
	o := newOffice(t, strings.Replace(text, "URL", hangs.URL, 1))
	for i := range 40 { // more than are handed over at once
		o.ask(t, o.user(t, fmt.Sprintf("u%d", i), fmt.Sprintf("+44 2079460%03d", i)), "")
	}
	o.ask(t, o.user(t, "asha", "+91 9812345678"), "")
	begun := time.Now()
	o.Advance(16 * time.Second)
	o.run(t)
	until(t, "the message by RCS", func() bool { return len(o.files(t, "rcs")) == 1 })
	if took := time.Since(begun); took > 7*time.Second {
		t.Errorf("it took %v", took)
	}
}
