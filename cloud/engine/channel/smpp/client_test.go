package smpp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/smpp"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/internal/secret"
)

var message = carrier.Note{Number: "+14255550142", Text: "Your code for VPN is 314159.", Life: 5 * time.Minute}

func TestSendAndReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		receipts := make(chan carrier.Receipt, 4)
		client := open(t, c, nil)
		client.Report(func(r carrier.Receipt) { receipts <- r })
		taken, err := client.Send(t.Context(), message)
		if err != nil || taken.ID != "m1" {
			t.Fatalf("%+v, %v", taken, err)
		}
		c.Say(deliver(0x04, "id:m1 sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:stat:UNDELIV", nil))
		if r := <-receipts; r.ID != "m1" || r.Status != carrier.Delivered {
			t.Fatalf("%+v", r)
		}
		// Parameters are believed before the text.
		c.Say(deliver(0x04, "id:other stat:DELIVRD", append(tlv(0x1e, "m1\x00"), tlv(0x427, "\x05")...)))
		if r := <-receipts; r.ID != "m1" || r.Status != carrier.Failed {
			t.Fatalf("%+v", r)
		}
		// A text that somebody sends, and one that is cut off, are no receipts.
		c.Say(deliver(0x00, "id:m1 stat:DELIVRD", nil))
		c.Say(unit{Command: 5, Sequence: 9, Body: []byte("abc")})
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
	return unit{Command: 5, Sequence: 77, Body: append(append(b, text...), options...)}
}

func tlv(tag uint16, value string) []byte {
	return append([]byte{byte(tag >> 8), byte(tag), byte(len(value) >> 8), byte(len(value))}, value...)
}

func TestWrongPasswordIsSaidAndNothingSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		client := open(t, c, func(conf *smpp.Config) { conf.Password = secret.FromString("other") })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := client.Send(ctx, message); !errors.Is(err, smpp.ErrNotBound) {
			t.Fatalf("got %v", err)
		}
		if client.Bound() || c.Count() != 0 {
			t.Fatal("it is bound")
		}
		// The waits grow: no flood of binds.
		if binds, _ := c.Seen(); binds < 2 || binds > 8 {
			t.Fatalf("%d binds in 10 seconds", binds)
		}
		_ = client.Close()
	})
}

func TestRefusalIsDefinite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		c.Answer = func(int) (uint32, bool) { return 0x0b, true }
		client := open(t, c, nil)
		_, err := client.Send(t.Context(), message)
		if refused, is := errors.AsType[*smpp.Refused](err); !is || refused.Status != 0x0b || !strings.Contains(err.Error(), "ESME_RINVDSTADR") {
			t.Fatalf("got %v", err)
		}
		if c.Count() != 1 {
			t.Fatalf("sent %d times", c.Count())
		}
		_ = client.Close()
	})
}

func TestBusyCentreIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		c.Answer = func(n int) (uint32, bool) {
			if n < 3 {
				return 0x58, true
			}
			return 0, true
		}
		client := open(t, c, nil)
		began := time.Now()
		if _, err := client.Send(t.Context(), message); err != nil || c.Count() != 3 {
			t.Fatalf("%d tries, %v", c.Count(), err)
		}
		if waited := time.Since(began); waited < 750*time.Millisecond {
			t.Fatalf("waited only %v", waited)
		}
		c.Answer = func(int) (uint32, bool) { return 0x14, true }
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
	for name, lose := range map[string]func(c *smpptest.Centre){
		"silence":    func(c *smpptest.Centre) { c.Answer = func(int) (uint32, bool) { return 0, false } },
		"connection": func(c *smpptest.Centre) { c.Answer = func(int) (uint32, bool) { go c.Drop(); return 0, false } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := smpptest.Pipe(t)
				lose(c)
				client := open(t, c, nil)
				began := time.Now()
				if _, err := client.Send(t.Context(), message); !errors.Is(err, carrier.ErrUnknown) {
					t.Fatalf("got %v", err)
				}
				if waited := time.Since(began); name == "connection" && waited > 0 {
					t.Errorf("waited %v on a connection that is gone", waited)
				}
				time.Sleep(time.Minute)
				if c.Count() != 1 {
					t.Fatalf("sent %d times", c.Count())
				}
				c.Lock()
				c.Answer = nil
				c.Unlock()
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
		c := smpptest.Pipe(t)
		client := open(t, c, nil)
		time.Sleep(2*time.Minute + 5*time.Second) // and 25 seconds before the next one
		if binds, probes := c.Seen(); binds != 1 || probes < 3 || !client.Bound() {
			t.Fatalf("%d binds, %d signs of life", binds, probes)
		}
		c.Lock()
		c.Mute = true
		c.Unlock()
		time.Sleep(40 * time.Second)
		if client.Bound() {
			t.Fatal("a dead connection counts as bound")
		}
		c.Lock()
		c.Mute = false
		c.Unlock()
		if _, err := client.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
	})
}

// A centre that reads nothing may have half of a message: whether it has it is not
// known, and nothing more goes out by that connection.
func TestCentreThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dials := smpptest.Pipe(t), 0
		client := open(t, c, func(conf *smpp.Config) {
			conf.Enquire = time.Hour
			conf.Dial = func(ctx context.Context) (net.Conn, error) {
				if dials++; dials > 1 {
					return c.Dial(ctx)
				}
				ours, theirs := net.Pipe()
				go func() {
					_, _ = theirs.Read(make([]byte, 256))
					_, _ = theirs.Write(unit{Command: 0x80000009, Sequence: 1}.Bytes())
				}()
				return ours, nil
			}
		})
		if _, err := client.Send(t.Context(), message); !errors.Is(err, carrier.ErrUnknown) {
			t.Fatalf("got %v", err)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := client.Send(ctx, message); err != nil || c.Count() != 1 {
			t.Errorf("the next one: %v", err)
		}
		_ = client.Close()
	})
}

// A centre that ends each connection at once is not stormed; one that was bound for
// long is bound again at once, whatever was before.
func TestWaitsBetweenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		client := open(t, c, nil)
		for range 120 {
			time.Sleep(time.Second)
			c.Drop()
		}
		binds, _ := c.Seen()
		if binds < 4 || binds > 12 {
			t.Errorf("%d binds in two minutes", binds)
		}
		time.Sleep(2 * time.Minute)
		if !client.Bound() {
			t.Fatal("it is not bound")
		}
		c.Drop()
		time.Sleep(time.Second)
		if !client.Bound() {
			t.Error("a centre that was there for two minutes is left alone for longer than a second")
		}
		_ = client.Close()
	})
}

func TestGoodbyeOfTheCentre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		client := open(t, c, nil)
		synctest.Wait()
		c.Say(unit{Command: 6, Sequence: 5})
		time.Sleep(time.Minute)
		if binds, _ := c.Seen(); binds < 2 || !client.Bound() {
			t.Fatalf("%d binds after a goodbye", binds)
		}
		// What no ESME understands gets a generic_nack, and life goes on.
		c.Say(unit{Command: 0x1234, Sequence: 6})
		if _, err := client.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
	})
}

// A centre that asks us for a sign of life gets it, or it would take us for gone;
// and it hears of what nobody here understands.
func TestCentreIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		client := open(t, c, nil)
		for name, of := range map[string]struct{ asked, want unit }{
			"a sign of life":        {unit{Command: 0x15, Sequence: 71}, unit{Command: 0x80000015, Sequence: 71}},
			"an unknown command":    {unit{Command: 0x1234, Sequence: 72}, unit{Command: 0x80000000, Status: 3, Sequence: 72}},
			"a receipt":             {smpptest.Receipt("m9", "DELIVRD"), unit{Command: 0x80000005, Sequence: 1000, Body: []byte{0}}},
			"a receipt without end": {unit{Command: 5, Sequence: 73, Body: []byte("abc")}, unit{Command: 0x80000005, Status: 2, Sequence: 73, Body: []byte{0}}},
		} {
			synctest.Wait()
			c.Lock()
			c.Raw.Reset()
			c.Unlock()
			c.Say(of.asked)
			synctest.Wait()
			c.Lock()
			if got := c.Raw.Bytes(); !bytes.Equal(got, of.want.Bytes()) {
				t.Errorf("%s: answered %x, want %x", name, got, of.want.Bytes())
			}
			c.Unlock()
		}
		_ = client.Close()
	})
}

// Only the answer to a bind, and a good one, makes a connection that is bound.
func TestWhatIsNoBind(t *testing.T) {
	for name, c := range map[string]struct {
		given unit
		want  string
	}{
		"a nack":             {unit{Command: 0x80000000, Sequence: 1}, "ESME_RINVCMDID"},
		"a nack with a word": {unit{Command: 0x80000000, Status: 0x0d, Sequence: 1}, "ESME_RBINDFAIL"},
		"another number":     {unit{Command: 0x80000009, Sequence: 2}, "something else"},
		"another command":    {unit{Command: 0x80000004, Sequence: 1}, "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := open(t, smpptest.Pipe(t), func(conf *smpp.Config) {
					conf.Dial = func(context.Context) (net.Conn, error) {
						ours, theirs := net.Pipe()
						go func() {
							_, _ = theirs.Read(make([]byte, 256))
							_, _ = theirs.Write(c.given.Bytes())
						}()
						return ours, nil
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				if _, err := client.Send(ctx, message); !errors.Is(err, smpp.ErrNotBound) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v", err)
				}
				_ = client.Close()
			})
		})
	}
}

func TestWindowBoundsWhatIsUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		c.Answer = func(int) (uint32, bool) { return 0, false }
		client := open(t, c, func(conf *smpp.Config) { conf.Window = 3 })
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { _, _ = client.Send(t.Context(), message) })
		}
		synctest.Wait()
		if c.Count() != 3 {
			t.Fatalf("%d messages without an answer", c.Count())
		}
		// Each has a number of its own, or one would get the answer of another.
		numbers := map[uint32]bool{}
		c.Lock()
		for raw := c.Raw.Bytes(); len(raw) > 0; raw = raw[binary.BigEndian.Uint32(raw):] {
			numbers[binary.BigEndian.Uint32(raw[12:])] = true
		}
		c.Unlock()
		if len(numbers) != 4 { // of the bind, too
			t.Errorf("the numbers are %v", numbers)
		}
		all.Wait()
		_ = client.Close()
	})
}

func TestNothingSecretInErrorsAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		c := smpptest.Pipe(t)
		c.Answer = func(int) (uint32, bool) { return 0x45, true }
		client := open(t, c, nil)
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
		"no window":     {SystemID: "a", Window: -1},
		"ids":           {SystemID: "a", IDs: "octal"},
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

// A centre that answers in hexadecimal and tells in decimal means one message.
func TestIDsInDecimal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		c.Name = "1aF0"
		client := open(t, c, func(conf *smpp.Config) { conf.IDs = smpp.DecimalIDs })
		receipts := make(chan carrier.Receipt, 1)
		client.Report(func(r carrier.Receipt) { receipts <- r })
		taken, err := client.Send(t.Context(), message)
		if err != nil || taken.ID != "6896" {
			t.Fatalf("%+v, %v", taken, err)
		}
		c.Say(deliver(0x04, "id:0000006896 stat:DELIVRD", nil))
		if r := <-receipts; r.ID != taken.ID {
			t.Errorf("the receipt is of %q", r.ID)
		}
	})
}

// Telephones join the parts of one reference: each long text has its own.
func TestLongTextsHaveReferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		client := open(t, c, nil)
		long := message
		long.Text = strings.Repeat("a", 200)
		for range 2 {
			if taken, err := client.Send(t.Context(), long); err != nil || taken.ID != fmt.Sprintf("m%d", c.Count()) {
				t.Fatalf("%+v, %v", taken, err)
			}
		}
		var headers []string
		for _, text := range c.Texts() {
			headers = append(headers, text.Text[:6])
		}
		if len(headers) != 4 || headers[0][3] != headers[1][3] || headers[2][3] != headers[3][3] || headers[0][3] == headers[2][3] {
			t.Errorf("the headers are %x", headers)
		}
		long.Text = strings.Repeat("a", 700)
		if _, err := client.Send(t.Context(), long); err == nil || c.Count() != 4 {
			t.Errorf("%d parts were sent, %v", c.Count(), err)
		}
		_ = client.Close()
	})
}

// Who found no place in the window has sent nothing, and knows it; who was taken
// under a name that cannot be read does not know.
func TestWhetherItWasSentIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		c.Answer = func(int) (uint32, bool) { return 0, false }
		client := open(t, c, func(conf *smpp.Config) { conf.Window = 1 })
		var first sync.WaitGroup
		first.Go(func() { _, _ = client.Send(t.Context(), message) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Send(ctx, message); !errors.Is(err, smpp.ErrNotBound) || errors.Is(err, carrier.ErrUnknown) || c.Count() != 1 {
			t.Errorf("without a place: %v", err)
		}
		first.Wait()
		c.Lock()
		c.Answer, c.Name = nil, strings.Repeat("x", 65)
		c.Unlock()
		if taken, err := client.Send(t.Context(), message); !errors.Is(err, carrier.ErrUnknown) || taken.ID != "" {
			t.Errorf("under a name without end: %+v, %v", taken, err)
		}
		_ = client.Close()
		if _, err := client.Send(t.Context(), message); !errors.Is(err, smpp.ErrClosed) {
			t.Errorf("a client that was closed: %v", err)
		}
	})
}

// What the centre refuses for reasons of its own says so, and why no connection is
// bound is told to who waits for one.
func TestWhoseFaultItIs(t *testing.T) {
	for status, unwell := range map[uint32]bool{0x08: true, 0x0e: true, 0x58: true, 0x14: true, 0x0b: false, 0x45: false, 0x01: false} {
		if got := errors.Is(&smpp.Refused{Status: status}, carrier.ErrUnwell); got != unwell {
			t.Errorf("status %#x is the centre's fault: %t", status, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := smpptest.Pipe(t)
		c.Password = "another"
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := open(t, c, nil).Send(ctx, message)
		if !errors.Is(err, smpp.ErrNotBound) || !errors.Is(err, carrier.ErrUnwell) || !strings.Contains(err.Error(), "ESME_RINVPASWD") {
			t.Error(err)
		}
	})
}
