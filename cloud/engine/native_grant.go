package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
)

// refreshGrace is how long after a refresh token was exchanged the same
// exchange is answered again: a client whose answer was lost asks twice.
const refreshGrace = 10 * time.Second

// slipGrant comes before the id of a sign-in whose refresh tokens hold.
const slipGrant = "grant/"

// purposeRefresh is what refresh tokens are sealed for.
const purposeRefresh = "refresh"

// Wish is what a client asks for when it asks for tokens.
type Wish struct {
	Scopes  []string // as asked for and as they were found to be the application's
	Offline bool     // a refresh token
}

// Granted is a sign-in that has come to its end: what tokens say.
type Granted struct {
	ID      string // of the sign-in, the same for all tokens that follow
	User    cloud.UserID
	UPN     string
	Name    string // to show; may be empty
	Mail    string // confirmed address; may be empty
	Ways    []string
	Second  bool // two factors were proven
	At      time.Time
	Scopes  []string
	Refresh string // token; empty: none
}

// refreshToken is what stands sealed in a refresh token.
type refreshToken struct {
	Grant string `json:"g"`
	App   string `json:"a"`
	N     int    `json:"n"`
}

// grantState is a sign-in whose refresh tokens hold. Tokens follow one another:
// the last has number N.
type grantState struct {
	App     string    `json:"app"`
	Since   int64     `json:"since"` // see NativeApp.since
	N       int       `json:"n"`
	Rotated time.Time `json:"rotated"`
	At      time.Time `json:"at"`
	Ways    []string  `json:"ways"`
	Scopes  []string  `json:"scopes"`
	Epoch   []byte    `json:"epoch"` // see epoch
}

// epoch stands for the password and the number and address that a sign-in was
// proven with. Once one of them is another, the sign-in is not continued.
func (e *Engine) epoch(u *User, ways []string) ([]byte, error) {
	hash := ""
	if u.Password != nil {
		var err error
		if hash, err = e.hashOf(u); err != nil {
			return nil, err
		}
	}
	var proven []string
	if slices.Contains(ways, WaySMS) {
		proven = append(proven, u.Mobile)
	}
	if slices.Contains(ways, WayEmail) || slices.Contains(ways, WayReset) {
		proven = append(proven, Fold(e.confirmedMail(u)))
	}
	return e.sentMAC(cloud.ChallengeID("native-epoch/"+u.ID), strings.Join(proven, "\x1f"), []byte(hash)), nil
}

// grant ends a flow with what its tokens will say.
func (e *Engine) grant(tx Tx, app *NativeApp, u *User, f *Flow, wish Wish, client NativeClient) (*Granted, error) {
	now := e.now().UTC()
	g := &Granted{ID: rand.Text(), User: u.ID, UPN: u.UPN, Name: u.DisplayName, Mail: e.confirmedMail(u), Ways: f.Ways, Second: isTwoFactors(f.Ways), At: now, Scopes: wish.Scopes}
	if wish.Offline {
		epoch, err := e.epoch(u, f.Ways)
		if err != nil {
			return nil, err
		}
		st := grantState{App: app.ID, Since: app.since(), N: 1, Rotated: now, At: now, Ways: f.Ways, Scopes: wish.Scopes, Epoch: epoch}
		if err := putGrant(tx, g.ID, u.ID, st, now.Add(app.RefreshLife())); err != nil {
			return nil, err
		}
		if g.Refresh, err = e.sealFor(purposeRefresh, refreshToken{Grant: g.ID, App: app.ID, N: 1}); err != nil {
			return nil, err
		}
	}
	at := app.ID
	if g.Second {
		at = ""
	}
	device := Slip{ID: e.deviceSlip(u.ID, client, at), User: u.ID, Data: []byte("{}"), Until: now.Add(deviceLife)}
	for _, err := range []error{ends(tx, f), tx.PutSlip(&device), pruneSlips(tx, now, pruneLimit)} {
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

func putGrant(tx Tx, id string, user cloud.UserID, st grantState, until time.Time) error {
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("a sign-in cannot be written: %w", err)
	}
	return tx.PutSlip(&Slip{ID: slipGrant + id, User: user, Data: data, Until: until})
}

// RefreshGrant exchanges a refresh token for what new tokens will say, after
// another look at everything: application, user, password, number, address and
// rules. Denied: it is not worth anything any more. One that was exchanged
// before, more than a moment ago, ends the whole sign-in: somebody has a copy.
func (e *Engine) RefreshGrant(ctx context.Context, app NativeApp, token string, scopes []string, client NativeClient) (*Granted, error) {
	var t refreshToken
	if !e.openFor(purposeRefresh, token, &t) || t.App != app.ID {
		return nil, refuse(cloud.Denied, "that is no refresh token of this application")
	}
	var g *Granted
	var why error // the transaction is committed all the same
	err := e.store.Update(ctx, func(tx Tx) (err error) {
		r := &refreshing{e: e, tx: tx, t: t, app: &app, now: e.now().UTC(), client: client}
		g, why, err = r.run(scopes)
		return err
	})
	if err == nil {
		err = why
	}
	if err != nil {
		return nil, asError(err)
	}
	return g, nil
}

// refreshing is one RefreshGrant inside its transaction.
type refreshing struct {
	e      *Engine
	tx     Tx
	t      refreshToken
	app    *NativeApp
	now    time.Time
	client NativeClient
	slip   *Slip
	st     grantState
	user   *User
}

func (r *refreshing) run(scopes []string) (g *Granted, why, err error) {
	if r.slip, err = r.tx.Slip(slipGrant + r.t.Grant); err != nil {
		return nil, nil, err
	}
	if r.slip == nil || !r.now.Before(r.slip.Until) {
		return nil, refuse(cloud.Denied, "the sign-in has ended"), nil
	}
	if err := json.Unmarshal(r.slip.Data, &r.st); err != nil || r.st.App != r.app.ID {
		return nil, nil, refuse(cloud.Internal, "a sign-in cannot be read")
	}
	again := r.t.N == r.st.N-1 && r.now.Sub(r.st.Rotated).Abs() <= refreshGrace
	if r.t.N != r.st.N && !again {
		err := r.tx.RemoveSlip(r.slip.ID)
		if err == nil {
			err = r.record("native.reuse", "sign-in ended")
		}
		return nil, refuse(cloud.Denied, "the refresh token was used before"), err
	}
	if why, err = r.mayGoOn(); why != nil || err != nil {
		if err == nil {
			err = r.record("native.refused", "refresh: "+why.Error())
		}
		return nil, why, err
	}
	if len(scopes) == 0 { // those of the sign-in that the application still has
		scopes = slices.DeleteFunc(slices.Clone(r.st.Scopes), func(s string) bool { return !r.app.Has(s) })
	}
	// Whoever signed in to an application may ask for all that it has, as with
	// Microsoft's service: clients ask for an API's scope once they need it.
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool { return !r.app.Has(s) }) {
		return nil, refuse(cloud.Invalid, "the scope is not one of the application's"), nil
	}
	if !again {
		r.st.N, r.st.Rotated = r.st.N+1, r.now
		if err := putGrant(r.tx, r.t.Grant, r.user.ID, r.st, r.slip.Until); err != nil {
			return nil, nil, err
		}
	}
	g = &Granted{ID: r.t.Grant, User: r.user.ID, UPN: r.user.UPN, Name: r.user.DisplayName, Mail: r.e.confirmedMail(r.user), Ways: r.st.Ways,
		Second: isTwoFactors(r.st.Ways), At: r.st.At, Scopes: scopes}
	g.Refresh, err = r.e.sealFor(purposeRefresh, refreshToken{Grant: r.t.Grant, App: r.app.ID, N: r.st.N})
	if err == nil {
		err = r.record("native.refreshed", "")
	}
	return g, nil, err
}

// mayGoOn says why the sign-in is not continued.
func (r *refreshing) mayGoOn() (why, err error) {
	app, err := readNativeApp(r.tx, r.app.ID)
	if err != nil {
		return nil, err
	}
	if app == nil || app.Disabled {
		return refuse(cloud.Denied, "the application may not sign anybody in"), nil
	}
	if app.since() != r.st.Since {
		return refuse(cloud.Denied, "the application was removed since"), nil
	}
	r.app = app
	if r.user, err = r.tx.User(r.slip.User); err != nil {
		return nil, err
	}
	if reason := usable(r.user, r.now); reason != "" {
		return refuse(cloud.Denied, "the user may not sign in ("+string(reason)+")"), nil
	}
	epoch, err := r.e.epoch(r.user, r.st.Ways)
	if err != nil {
		return nil, err
	}
	may, err := r.e.allowed(r.tx, r.user.ID)
	switch {
	case err != nil:
		return nil, err
	case !slices.Equal(epoch, r.st.Epoch):
		return refuse(cloud.Denied, "the password, number or address has changed"), nil
	case !r.app.began(r.st.Ways):
		return refuse(cloud.Denied, "the application does not take the first factor any more"), nil
	case slices.Contains(r.st.Ways, WaySMS) && !may.SMS, !may.Email && (slices.Contains(r.st.Ways, WayEmail) || slices.Contains(r.st.Ways, WayReset)):
		return refuse(cloud.Denied, "the method policy does not allow what the sign-in was proven with"), nil
	}
	both, err := r.both(may)
	if err != nil {
		return nil, err
	}
	v, err := r.e.access(r.tx, r.user.ID, r.app.ID, r.client, 0)
	switch {
	case err != nil:
		return nil, err
	case v.Grant == access.GrantBlock:
		return refuse(cloud.Denied, "the rules of access block it"), nil
	case v.Grant == access.GrantMFA && !both:
		return refuse(cloud.Denied, "the rules of access ask for a second factor"), nil
	}
	return nil, nil
}

// both tells whether the sign-in was proven by two factors that still are two:
// mail beside a password is none once mail resets passwords.
func (r *refreshing) both(may Allowed) (bool, error) {
	if !isTwoFactors(r.st.Ways) || slices.Contains(r.st.Ways, WaySMS) {
		return isTwoFactors(r.st.Ways), nil
	}
	return r.e.mailCounts(r.tx, may, &Flow{Ways: []string{WayPassword}})
}

func (r *refreshing) record(action, detail string) error {
	return r.tx.Append(audit.Entry{Time: r.now, Node: r.e.node, Actor: r.app.Name, Action: action, Subject: string(r.slip.User),
		Detail: strings.TrimSpace(fmt.Sprintf("app=%s from=%q %s", r.app.ID, tries.Place(r.client.as(r.app)), detail))})
}

// EndSignIns ends all sign-ins of a user, those too that have not come to their
// end: no refresh token and no continuation token of theirs is taken any more, and
// the user comes from nowhere known. Access tokens run out by themselves. It tells
// how many there were.
func (e *Engine) EndSignIns(ctx context.Context, by Actor, user cloud.UserID) (n int, err error) {
	if err := by.check(); err != nil {
		return 0, err
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		if _, err := by.findUser(tx, user); err != nil {
			return err
		}
		if n, err = endSignIns(tx, user); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "native.end", string(user), fmt.Sprintf("sign-ins=%d", n), e.now()))
	})
	return n, asError(err)
}

// endSignIns removes what sign-ins of a user go on with, and from where they came:
// who ends them does not know which were the user's. It counts those that had ended
// in tokens.
func endSignIns(tx Tx, user cloud.UserID) (n int, err error) {
	slips, err := tx.SlipsOf(user)
	for i := 0; i < len(slips) && err == nil; i++ {
		id := slips[i].ID
		if strings.HasPrefix(id, slipGrant) {
			n++
		}
		if strings.HasPrefix(id, slipGrant) || strings.HasPrefix(id, slipFlow) || strings.HasPrefix(id, slipDevice) {
			err = tx.RemoveSlip(id)
		}
	}
	return n, err
}
