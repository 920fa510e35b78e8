package smpp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/smpp"
	"mfabridge/internal/secret"
)

var message = carrier.Note{Number: "+14255550142", Text: "Your code for VPN is 314159.", Life: 5 * time.Minute}

func TestSendAndReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		receipts := make(chan carrier.Receipt, 4)
		client := c.open(t, nil)
		client.Report(func(r carrier.Receipt) { receipts <- r })
		taken, err := client.Send(t.Context(), message)
		if err != nil || taken.ID != "m1" {
			t.Fatalf("%+v, %v", taken, err)
		}
		c.say(deliver(0x04, "id:m1 sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:stat:UNDELIV", nil))
		if r := <-receipts; r.ID != "m1" || r.Status != carrier.Delivered {
			t.Fatalf("%+v", r)
		}
		// Parameters are believed before the text.
		c.say(deliver(0x04, "id:other stat:DELIVRD", append(tlv(0x1e, "m1\x00"), tlv(0x427, "\x05")...)))
		if r := <-receipts; r.ID != "m1" || r.Status != carrier.Failed {
			t.Fatalf("%+v", r)
		}
		// A text that somebody sends, and one that is cut off, are no receipts.
		c.say(deliver(0x00, "id:m1 stat:DELIVRD", nil))
		c.say(unit{command: 5, sequence: 9, body: []byte("abc")})
		synctest.Wait()
		select {
		case r := <-receipts:
			t.Fatalf("a receipt out of nothing: %+v", r)
		default:
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// deliver is a deliver_sm.
func deliver(class byte, text string, options []byte) unit {
	b := append([]byte("\x00\x01\x0114255550142\x00\x05\x00Contoso\x00"), class, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(text)))
	return unit{command: 5, sequence: 77, body: append(append(b, text...), options...)}
}

func tlv(tag uint16, value string) []byte {
	return append([]byte{byte(tag >> 8), byte(tag), byte(len(value) >> 8), byte(len(value))}, value...)
}

func TestWrongPasswordIsSaidAndNothingSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		client := c.open(t, func(conf *smpp.Config) { conf.Password = secret.FromString("other") })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := client.Send(ctx, message); !errors.Is(err, smpp.ErrNotBound) {
			t.Fatalf("got %v", err)
		}
		if client.Bound() || c.count() != 0 {
			t.Fatal("it is bound")
		}
		// The waits grow: no flood of binds.
		if binds, _ := c.seen(); binds < 2 || binds > 8 {
			t.Fatalf("%d binds in 10 seconds", binds)
		}
		_ = client.Close()
	})
}

func TestRefusalIsDefinite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		c.answer = func(int) (uint32, bool) { return 0x0b, true }
		client := c.open(t, nil)
		_, err := client.Send(t.Context(), message)
		if refused, is := errors.AsType[*smpp.Refused](err); !is || refused.Status != 0x0b || !strings.Contains(err.Error(), "ESME_RINVDSTADR") {
			t.Fatalf("got %v", err)
		}
		if c.count() != 1 {
			t.Fatalf("sent %d times", c.count())
		}
		_ = client.Close()
	})
}

func TestBusyCentreIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		c.answer = func(n int) (uint32, bool) {
			if n < 3 {
				return 0x58, true
			}
			return 0, true
		}
		client := c.open(t, nil)
		began := time.Now()
		if _, err := client.Send(t.Context(), message); err != nil || c.count() != 3 {
			t.Fatalf("%d tries, %v", c.count(), err)
		}
		if waited := time.Since(began); waited < 750*time.Millisecond {
			t.Fatalf("waited only %v", waited)
		}
		c.answer = func(int) (uint32, bool) { return 0x14, true }
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := client.Send(ctx, message); err == nil || !strings.Contains(err.Error(), "ESME_RMSGQFUL") {
			t.Fatalf("got %v", err)
		}
		_ = client.Close()
	})
}

// A message whose answer is lost is sent once, and said to be unknown.
func TestLostAnswerIsUnknownAndNeverSentTwice(t *testing.T) {
	for name, lose := range map[string]func(c *centre){
		"silence":    func(c *centre) { c.answer = func(int) (uint32, bool) { return 0, false } },
		"connection": func(c *centre) { c.answer = func(int) (uint32, bool) { go c.drop(); return 0, false } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCentre(t)
				lose(c)
				client := c.open(t, nil)
				if _, err := client.Send(t.Context(), message); !errors.Is(err, carrier.ErrUnknown) {
					t.Fatalf("got %v", err)
				}
				time.Sleep(time.Minute)
				if c.count() != 1 {
					t.Fatalf("sent %d times", c.count())
				}
				c.mu.Lock()
				c.answer = nil
				c.mu.Unlock()
				if _, err := client.Send(t.Context(), message); err != nil {
					t.Fatalf("the next one: %v", err)
				}
				_ = client.Close()
			})
		})
	}
}

func TestSilentCentreIsAskedForLifeAndLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		client := c.open(t, nil)
		time.Sleep(2 * time.Minute)
		if binds, probes := c.seen(); binds != 1 || probes < 3 || !client.Bound() {
			t.Fatalf("%d binds, %d signs of life", binds, probes)
		}
		c.mu.Lock()
		c.mute = true
		c.mu.Unlock()
		time.Sleep(40 * time.Second)
		if client.Bound() {
			t.Fatal("a dead connection counts as bound")
		}
		c.mu.Lock()
		c.mute = false
		c.mu.Unlock()
		if _, err := client.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
	})
}

func TestGoodbyeOfTheCentre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		client := c.open(t, nil)
		synctest.Wait()
		c.say(unit{command: 6, sequence: 5})
		time.Sleep(time.Minute)
		if binds, _ := c.seen(); binds < 2 || !client.Bound() {
			t.Fatalf("%d binds after a goodbye", binds)
		}
		// What no ESME understands gets a generic_nack, and life goes on.
		c.say(unit{command: 0x1234, sequence: 6})
		if _, err := client.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
	})
}

func TestWindowBoundsWhatIsUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentre(t)
		c.answer = func(int) (uint32, bool) { return 0, false }
		client := c.open(t, func(conf *smpp.Config) { conf.Window = 3 })
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { _, _ = client.Send(t.Context(), message) })
		}
		synctest.Wait()
		if c.count() != 3 {
			t.Fatalf("%d messages without an answer", c.count())
		}
		all.Wait()
		_ = client.Close()
	})
}

func TestNothingSecretInErrorsAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		c := newCentre(t)
		c.answer = func(int) (uint32, bool) { return 0x45, true }
		client := c.open(t, nil)
		_, err := client.Send(t.Context(), message)
		fmt.Fprint(&said, err)
		for _, hidden := range []string{"314159", "4255550142", "secret08"} {
			if strings.Contains(said.String(), hidden) {
				t.Errorf("%q stands in %q", hidden, said.String())
			}
		}
		_ = client.Close()
	})
}

func TestConfigurationIsRefused(t *testing.T) {
	for name, conf := range map[string]smpp.Config{
		"no name":       {},
		"long name":     {SystemID: strings.Repeat("x", 16)},
		"long password": {SystemID: "a", Password: secret.FromString("123456789")},
		"long type":     {SystemID: "a", SystemType: strings.Repeat("x", 13)},
		"window":        {SystemID: "a", Window: 1001},
		"alphabet":      {SystemID: "a", Alphabet: "ebcdic"},
		"source":        {SystemID: "a", Source: "Contoso Limited"},
		"source sign":   {SystemID: "a", Source: "A<b>"},
	} {
		if client, err := smpp.Open(conf); err == nil {
			t.Errorf("%s: accepted", name)
			_ = client.Close()
		}
	}
}
