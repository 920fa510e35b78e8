package channel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/internal/secret"
)

// kept is an outbox in memory.
type kept []string

func (k *kept) Send(_ context.Context, m engine.Message) error {
	*k = append(*k, string(m.Text.Reveal()))
	return nil
}
func (*kept) Delivers() bool { return false }

// counting is a provider that counts what it is asked and answers a status.
func counting(t *testing.T, status int) (*channel.HTTP, *[]string) {
	var got []string
	return gateway(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.FormValue("text"))
		w.WriteHeader(status)
	}), &got
}

// opened are the texts of a configuration.
func opened(conf *channel.Config, outbox engine.Sender, log *slog.Logger) (*channel.Texts, error) {
	c, err := channel.Open(channel.Options{Config: conf, Outbox: outbox, Log: log})
	if err != nil {
		return nil, err
	}
	return c.Texts, nil
}

func to(user string) engine.Message {
	m := message("abc")
	m.To, m.User, m.Code, m.Text = "+44 2079460123", cloud.UserID(user), secret.FromString(aCode), secret.FromString("Your code is "+aCode)
	return m
}

func TestTextsGoOneWayAfterTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		modes    [2]string
		status   [2]int
		percent  int
		want     [2]int // messages
		outbox   int
		delivers bool
		err      string
		log      string
	}{
		"the first takes it":      {modes: [2]string{"live", "live"}, status: [2]int{200, 200}, want: [2]int{1, 0}, delivers: true, log: "message was taken over"},
		"the second takes it":     {modes: [2]string{"live", "live"}, status: [2]int{500, 200}, want: [2]int{1, 1}, delivers: true, log: "one: the provider answered 500"},
		"nobody takes it":         {modes: [2]string{"live", "live"}, status: [2]int{500, 429}, want: [2]int{1, 1}, delivers: true, err: "one: the provider answered 500; two: the provider answered 429"},
		"the only one fails":      {modes: [2]string{"live", "off"}, status: [2]int{500, 200}, want: [2]int{1, 0}, delivers: true, err: "answered 500"},
		"evaluated":               {modes: [2]string{"evaluate", "off"}, status: [2]int{200, 200}, outbox: 1, log: `"parts":1,"cost":"0.05"`},
		"evaluated beside a live": {modes: [2]string{"evaluate", "live"}, status: [2]int{200, 200}, want: [2]int{0, 1}, delivers: true, log: "message would be sent"},
		"all off":                 {modes: [2]string{"off", "off"}, outbox: 1},
		"outside":                 {modes: [2]string{"live", "off"}, percent: 1, outbox: 1},
		"outside, to the second":  {modes: [2]string{"live", "live"}, percent: 1, status: [2]int{200, 200}, want: [2]int{0, 1}, delivers: true},
	} {
		t.Run(name, func(t *testing.T) {
			one, first := counting(t, c.status[0])
			two, second := counting(t, c.status[1])
			conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{
				{Name: "one", Mode: c.modes[0], Percent: c.percent, Price: 0.05, HTTP: one}, {Name: "two", Mode: c.modes[1], HTTP: two}}}}
			for _, err := range conf.Check("/") {
				t.Fatal(err)
			}
			var log bytes.Buffer
			var outbox kept
			texts, err := opened(conf, &outbox, slog.New(slog.NewJSONHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer texts.Close()
			err = texts.Send(t.Context(), to("somebody"))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if len(*first) != c.want[0] || len(*second) != c.want[1] || len(outbox) != c.outbox || texts.Delivers() != c.delivers {
				t.Errorf("sent %d, %d, outbox %d, delivers %v", len(*first), len(*second), len(outbox), texts.Delivers())
			}
			for _, text := range append(append(*first, *second...), outbox...) {
				if text != "Your code for vpn is "+aCode+". Do not share it." {
					t.Errorf("text: %q", text)
				}
			}
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("log: %s", log.String())
			}
			leaks(t, "the log", log.String())
			leaks(t, "the error", fmt.Sprint(err))
		})
	}
}

// settings are a ledger that knows how providers are to be used, and no more.
type settings struct {
	channel.Ledger
	are map[string]engine.ProviderState
	err error
}

func (s *settings) Providers(context.Context) (map[string]engine.ProviderState, error) {
	return s.are, s.err
}

// What an administrator says of a provider counts in place of the configuration,
// until nothing is said any more.
func TestProvidersAreUsedAsAdministratorsSay(t *testing.T) {
	one, first := counting(t, 200)
	two, second := counting(t, 200)
	conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "one", Mode: "live", HTTP: one}, {Name: "two", Mode: "evaluate", HTTP: two}}}}
	for _, err := range conf.Check("/") {
		t.Fatal(err)
	}
	outbox, log := new(kept), new(bytes.Buffer)
	c, err := channel.Open(channel.Options{Config: conf, Outbox: outbox, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	live, off := engine.ProviderState{Mode: "live", Percent: 100}, engine.ProviderState{Mode: "off", Percent: 100}
	said := &settings{}
	for i, step := range []struct {
		one, two *engine.ProviderState
		want     string // who has the message
		delivers bool
		told     int // changes
	}{
		{nil, nil, "one", true, 0},
		{&off, &live, "two", true, 2},
		{&off, &live, "two", true, 0},
		{&off, &off, "outbox", false, 1},
		{&engine.ProviderState{Mode: "evaluate", Percent: 100}, &off, "outbox", false, 1},
		{&engine.ProviderState{Mode: "live", Percent: 1}, nil, "outbox", false, 2},
		{&live, &live, "one", true, 2},
		{nil, nil, "one", true, 1},
	} {
		said.are = map[string]engine.ProviderState{}
		for name, s := range map[string]*engine.ProviderState{"one": step.one, "two": step.two} {
			if s != nil {
				said.are[name] = *s
			}
		}
		log.Reset()
		if err := c.Attach(t.Context(), said); err != nil {
			t.Fatal(err)
		}
		told := strings.Count(log.String(), "used otherwise")
		was := map[string]int{"one": len(*first), "two": len(*second), "outbox": len(*outbox)}
		if err := c.Texts.Send(t.Context(), to("somebody")); err != nil {
			t.Fatal(err)
		}
		for name, n := range map[string]int{"one": len(*first), "two": len(*second), "outbox": len(*outbox)} {
			if (n > was[name]) != (name == step.want) {
				t.Errorf("step %d: %s has %d messages after %d", i, name, n, was[name])
			}
		}
		if c.Texts.Delivers() != step.delivers || told != step.told {
			t.Errorf("step %d: delivers %v, %d changes were told", i, c.Texts.Delivers(), told)
		}
	}
	said.err = errors.New("the store is closed")
	if err := c.Attach(t.Context(), said); !errors.Is(err, said.err) {
		t.Errorf("without a store: %v", err)
	}
}

// A letter that was handed over leaves its place; one that no server is live for
// lies in the outbox, in the language of its domain.
func TestMailsAreHandedOver(t *testing.T) {
	conf, err := parse(t, strings.ReplaceAll(`email:
  providers: [{name: box, mode: live, outbox: {folder: "FOLDER/mail"}}]
  templates: {default: "Code <$otp$>", de: "Ihr Code: <$otp$>"}
  languages: {"contoso.example": de}
`, "FOLDER", t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	outbox := new(kept)
	c, err := channel.Open(channel.Options{Config: conf, Outbox: outbox, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := to("somebody")
	m.To = "ada@contoso.example"
	for i := range 100 { // more than may be on their way at once
		if err := c.Mails.Send(t.Context(), m); err != nil {
			t.Fatalf("letter %d: %v", i, err)
		}
	}
	if len(*outbox) > 0 {
		t.Errorf("what was taken lies in the outbox: %q", *outbox)
	}
	if err := c.Attach(t.Context(), &settings{are: map[string]engine.ProviderState{"box": {Mode: "off", Percent: 100}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Mails.Send(t.Context(), m); err != nil || len(*outbox) != 1 || (*outbox)[0] != "Ihr Code: "+aCode {
		t.Errorf("in the outbox: %q, %v", *outbox, err)
	}
}

// A share of all users is as large as it says, and who is in it stays in it
// while it grows.
func TestShareOfUsersIsStable(t *testing.T) {
	in := map[string]bool{}
	for _, percent := range []int{10, 50, 100} {
		h, got := counting(t, 200)
		conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "one", Mode: "live", Percent: percent, HTTP: h}}}}
		for _, err := range conf.Check("/") {
			t.Fatal(err)
		}
		texts, err := opened(conf, new(kept), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		const users = 400
		for i := range users {
			user, before := fmt.Sprintf("01a2012a-75da-79d1-8f0f-%012d", i), len(*got)
			if err := texts.Send(t.Context(), to(user)); err != nil {
				t.Fatal(err)
			}
			if now := len(*got) > before; in[user] && !now {
				t.Errorf("%s left at %d%%", user, percent)
			} else {
				in[user] = now
			}
		}
		if n := len(*got) * 100 / users; n < percent-6 || n > percent+6 {
			t.Errorf("%d%% of all users at %d%%", n, percent)
		}
		_ = texts.Close()
	}
}

func TestTextsSpeakLanguages(t *testing.T) {
	h, got := counting(t, 200)
	conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "one", Mode: "live", HTTP: h}},
		Templates: map[string]string{"default": "Code <$otp$>", "de": "<$application_name$>: <$otp$> ist Ihr Code", "ch": "CH <$otp$>"},
		Languages: map[string]string{"+49": "de", "+4": "ch"}}}
	for _, err := range conf.Check("/") {
		t.Fatal(err)
	}
	texts, err := opened(conf, new(kept), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer texts.Close()
	for _, c := range []struct{ number, app, want string }{
		{"+49 3023125000", "vpn", "vpn: " + aCode + " ist Ihr Code"},
		{"+49 3023125000", "https://evil.example", "your sign-in: " + aCode + " ist Ihr Code"},
		{"+49 3023125000", "vpn.contoso.example", "your sign-in: " + aCode + " ist Ihr Code"},
		{"+49 3023125000", "<$otp$>", "<$otp$>: " + aCode + " ist Ihr Code"},
		{"+44 2079460123", "vpn", "CH " + aCode},
		{"+1 4255550100", "vpn", "Code " + aCode},
	} {
		m := to("x")
		m.To, m.Application = c.number, c.app
		if err := texts.Send(t.Context(), m); err != nil || (*got)[len(*got)-1] != c.want {
			t.Errorf("%v: %v, %q", c, err, (*got)[len(*got)-1])
		}
	}
	for _, number := range []string{"", "2079460123", "+44 2079460123x12", "+44", "+44 20794601232079460123", "+0 2079460123", "+44 207946o123"} {
		m := to("x")
		if m.To = number; texts.Send(t.Context(), m) == nil {
			t.Errorf("a text went to %q", number)
		}
	}
}
