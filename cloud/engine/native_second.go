package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
)

// Channels of codes, as the protocol has them.
const (
	channelMail = "email"
	channelText = "sms"
)

// NativeMethod is a second factor that somebody can be asked for, or could
// register.
type NativeMethod struct {
	ID      string
	Channel string
	Label   string // masked; empty where nothing is registered yet
}

// secondFactors are those that go with the first factor. A code by mail counts
// only for a confirmed address, only beside a password, and only where nobody
// can set another password by a code to the same address. Right after the
// sign-up that proved the address it is there to be registered first.
func (e *Engine) secondFactors(r Reader, app *NativeApp, u *User, may Allowed, f *Flow) (all []NativeMethod, err error) {
	if may.SMS && u.Mobile != "" && !u.SignsInByNumber() && e.senders[cloud.SMS] != nil && app.TextsTo(u.Mobile) {
		all = append(all, NativeMethod{ID: idMobile, Channel: channelText, Label: maskDigits(u.Mobile)})
	}
	mail, err := e.mailCounts(r, may, f)
	if err == nil && mail && !f.Mail && e.confirmedMail(u) != "" {
		all = append(all, NativeMethod{ID: idEmail, Channel: channelMail, Label: maskMail(e.confirmedMail(u))})
	}
	return all, err
}

// mailCounts tells whether a code by mail can be a second factor in a flow.
func (e *Engine) mailCounts(r Reader, may Allowed, f *Flow) (bool, error) {
	if !may.Email || e.mailer() == nil || !slices.Contains(f.Ways, WayPassword) || slices.Contains(f.Ways, WayEmail) || slices.Contains(f.Ways, WayReset) {
		return false, nil
	}
	resets, err := anyResets(r)
	return !resets, err
}

// SecondFactors are those that a flow can go on with.
func (e *Engine) SecondFactors(ctx context.Context, app NativeApp, f Flow) (all []NativeMethod, next Flow, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all, err = e.secondAt(r, &app, &f)
		return err
	})
	return all, f.on(f.Step, e.now()), asError(err)
}

func (e *Engine) secondAt(r Reader, app *NativeApp, f *Flow) ([]NativeMethod, error) {
	if _, err := flowAt(r, f); err != nil {
		return nil, err
	}
	u, err := r.User(f.User)
	if err != nil {
		return nil, err
	}
	if usable(u, e.now()) != "" {
		return nil, refuse(cloud.Denied, "the user may not sign in")
	}
	may, err := e.allowed(r, u.ID)
	if err != nil {
		return nil, err
	}
	if err := e.mustHold(f, u, may); err != nil {
		return nil, err
	}
	return e.secondFactors(r, app, u, may, f)
}

// AskSecond sends a code for the second factor of an id, and ends the one
// before. NotFound: the user has no such method.
func (e *Engine) AskSecond(ctx context.Context, app NativeApp, f Flow, id string, client NativeClient) (Flow, Asked, error) {
	var to, number string
	var m NativeMethod
	err := e.store.View(ctx, func(r Reader) error {
		methods, err := e.secondAt(r, &app, &f)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(methods, func(m NativeMethod) bool { return m.ID == id })
		if at < 0 {
			return refuse(cloud.NotFound, "the user has no such method")
		}
		m = methods[at]
		u, err := r.User(f.User)
		if err != nil || u == nil {
			return err
		}
		number = u.Mobile
		if to = number; m.Channel == channelMail {
			to = e.confirmedMail(u)
		}
		return nil
	})
	if err != nil {
		return f, Asked{}, asError(err)
	}
	asked := Asked{Channel: m.Channel, Label: m.Label, Digits: sentDigits}
	if asked.Redirect, err = e.spendCodes(ctx, m.Channel, to, client); err != nil || asked.Redirect != "" {
		return f, asked, err
	}
	if err := e.dropCode(ctx, &f); err != nil {
		return f, asked, err
	}
	method := cloud.SMS
	if m.Channel == channelMail {
		method = cloud.EmailCode
	}
	c, err := e.beginWith(ctx, ownerNative, e.template(&app), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(f.User)}, Method: method, Client: client.as(&app), Tries: nativeTries})
	if err != nil {
		return f, asked, err
	}
	if c.State != cloud.Pending {
		asked.Redirect = string(c.Reason)
		return f, asked, nil
	}
	f.Challenge = c.ID
	return f.on(AtSent, e.now()), asked, nil
}

// Limits on codes of native authentication, beside those on all texts: by where
// the request comes from, by number or address, and for all together, in
// windows that begin on the clock. Only those that are not there already.
var codeLimits = []struct {
	of     string // "ip", "to", "all"
	window time.Duration
	most   int
}{
	{"ip", 15 * time.Minute, 100}, {"ip", time.Hour, 300}, {"ip", 24 * time.Hour, 500},
	{"to", 15 * time.Minute, 15}, {"to", time.Hour, 20}, {"to", 24 * time.Hour, 30}, {"to", 7 * 24 * time.Hour, 50},
	{"all", 15 * time.Minute, 500}, {"all", time.Hour, 1500}, {"all", 24 * time.Hour, 5000},
}

// spendCodes counts one more code, or says what people are told instead. by is
// whom it counts for: a number or address, and beside it the place that asks
// where no first factor was proven, since who has not uses codes of an address up
// for the place that asks, and for nobody else. What all places may have sent to
// one address is for [Engine.mailQuotas] to say.
func (e *Engine) spendCodes(ctx context.Context, channel, by string, client NativeClient) (say string, err error) {
	err = e.store.Update(ctx, func(tx Tx) error {
		say, err = e.spendIn(tx, channel, by, client)
		return err
	})
	return say, asError(err)
}

func (e *Engine) spendIn(tx Tx, channel, by string, client NativeClient) (say string, err error) {
	now := e.now()
	var spent []Slip
	for _, l := range codeLimits {
		of := l.of
		if of == "all" && channel == channelMail { // anybody may ask for mail: nobody is to use it up for all
			continue
		}
		switch of {
		case "ip":
			of = "ip/" + tries.Place(cloud.Client{Address: client.Address})
		case "all":
			if strings.ContainsRune(by, 0) { // who has proven nothing, or no number yet, uses nothing up for who has
				of = "newcomers"
			}
		case "to":
			of = "to/" + digest(string(e.sentMAC("native-to", Fold(by), nil)))
		}
		window := now.Unix() / int64(l.window/time.Second)
		id := fmt.Sprintf("codes/%s/%d/%d/%s", channel, int(l.window/time.Minute), window, of)
		slip, err := tx.Slip(id)
		if err != nil {
			return "", err
		}
		n := 0
		if slip != nil {
			n, _ = strconv.Atoi(string(slip.Data))
		}
		if n >= l.most {
			if l.of == "to" {
				return sayTrouble, nil
			}
			return sayLimit, nil
		}
		spent = append(spent, Slip{ID: id, Data: []byte(strconv.Itoa(n + 1)), Until: time.Unix((window+1)*int64(l.window/time.Second), 0)})
	}
	for i := range spent {
		if err := tx.PutSlip(&spent[i]); err != nil {
			return "", err
		}
	}
	return "", pruneSlips(tx, now, pruneLimit)
}

// maskDigits is a number for its owner: the country code and the last digit.
func maskDigits(number string) string {
	country, rest, ok := strings.Cut(number, " ")
	if !ok || len(rest) < 2 {
		return "your phone"
	}
	return country + strings.Repeat("*", len(rest)-1) + rest[len(rest)-1:]
}

// maskMail is an address for its owner: the ends of its parts.
func maskMail(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	host, top, _ := strings.Cut(domain, ".")
	if !ok || local == "" || host == "" {
		return "your address"
	}
	return ends2(local) + "@" + ends2(host) + "." + top
}

// ends2 is the first and the last letter of a word.
func ends2(s string) string {
	r := []rune(s)
	if len(r) < 3 {
		return string(r[:1]) + "**"
	}
	return string(r[:1]) + "***" + string(r[len(r)-1:])
}
