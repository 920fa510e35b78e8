package engine

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"mfabridge/cloud"
)

// Step is where somebody stands in native authentication. Which request may
// come next is the face's to say; each operation here names the steps that it
// starts from.
type Step string

// Steps of a flow.
const (
	// Of a sign-in.
	AtBegun    Step = "begun"    // a name was given
	AtPassword Step = "password" // the password is asked for
	AtCode     Step = "code"     // a code was sent that is the first factor
	AtSecond   Step = "second"   // the first factor is proven, a second one is needed
	AtSent     Step = "sent"     // a code was sent that is the second factor

	// Of a sign-in whose user has no second factor and has to register one.
	AtEnrol     Step = "enrol"     // a number or an address is asked for
	AtEnrolling Step = "enrolling" // a code was sent to it
	AtKnown     Step = "known"     // it is the address that this flow has proven before: no code is needed

	// Of a sign-up.
	AtSignUp   Step = "signup"   // somebody wants an account
	AtSignCode Step = "signup-c" // a code was sent to the address
	AtProven   Step = "signup-p" // the address is proven; the password or an attribute is missing

	// Of a reset of the password.
	AtReset     Step = "reset"      // somebody forgot the password
	AtResetCode Step = "reset-code" // a code was sent to the address
	AtNewWord   Step = "reset-word" // the code was right: a new password is asked for
	AtResetDone Step = "reset-done" // the new password is set

	AtReady Step = "ready" // all is proven: only tokens are missing
)

// How long a flow and its tokens live.
const (
	flowToken = 10 * time.Minute // from one answer to the next request
	flowWhole = 30 * time.Minute // from the first answer to the last request
)

// MaxFlowToken bounds a continuation token, in bytes.
const MaxFlowToken = 8 << 10

// Flow is how far somebody has come, as it travels sealed in a continuation
// token. Some steps cannot be taken back; the store counts those of each flow
// (Turn), so that a token from before the last of them is refused.
type Flow struct {
	ID        string            `json:"i"`
	App       string            `json:"a"`           // client id
	Since     int64             `json:"r"`           // see NativeApp.since
	Step      Step              `json:"s"`           //
	Turn      int               `json:"t,omitempty"` // how many steps it took that cannot be taken back
	Name      string            `json:"n,omitempty"` // as it was typed
	User      cloud.UserID      `json:"u,omitempty"` // empty: nobody, and nobody is to learn that
	Offer     Offer             `json:"o,omitzero"`
	Want      string            `json:"q,omitempty"` // the first factor that is asked for
	Ways      []string          `json:"w,omitempty"` // what is proven, see Way…
	Challenge cloud.ChallengeID `json:"c,omitempty"` // the code that was sent last

	Mail   bool              `json:"v,omitempty"` // this flow has proven the user's address
	Word   []byte            `json:"k,omitempty"` // stands for the password that was proven, see wordOf
	Target string            `json:"g,omitempty"` // number or address that is to be registered, or that has reset the password
	Hash   string            `json:"h,omitempty"` // of the password of an account to be
	Extra  map[string]string `json:"x,omitempty"` // attributes of an account to be

	Begun time.Time `json:"b"`
	Until time.Time `json:"e"`
}

// Offer is what a client says that it can do.
type Offer struct {
	Password bool `json:"p,omitempty"`
	Code     bool `json:"c,omitempty"`
	Second   bool `json:"m,omitempty"` // it can ask for a second factor
	Enrol    bool `json:"r,omitempty"` // and have one registered
}

// isTwoFactors tells whether two factors are proven.
func isTwoFactors(ways []string) bool {
	first := slices.Contains(ways, WayPassword) || slices.Contains(ways, WayReset)
	return first && slices.Contains(ways, WayEmail) || slices.Contains(ways, WaySMS) && len(ways) > 1
}

// Ways by which somebody has proven to be who they are, as amr has them (RFC
// 8176), but for codes by mail, of which it has no word.
const (
	WayPassword = "pwd"
	WayEmail    = "email"
	WaySMS      = "sms"
	WayReset    = "reset" // the address was proven to set a new password, in this flow
)

// newFlow begins a flow.
func (e *Engine) newFlow(app *NativeApp, step Step, name string, offer Offer) Flow {
	now := e.now().UTC()
	return Flow{ID: rand.Text(), App: app.ID, Since: app.since(), Step: step, Name: name, Offer: offer, Begun: now, Until: now.Add(flowToken)}
}

// on is the flow after another answer.
func (f Flow) on(step Step, now time.Time) Flow {
	f.Step = step
	f.Until = now.UTC().Add(flowToken)
	if end := f.Begun.Add(flowWhole); f.Until.After(end) {
		f.Until = end
	}
	return f
}

// vault seals what clients carry for us. It is not the store's key: that one
// changes, and what was sealed with it would be lost.
func (e *Engine) vault() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, e.codeKey.Reveal(), nil, "native/"+e.setup.Instance, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("no key can be made for tokens: %w", err)
	}
	return chacha20poly1305.NewX(key)
}

// sealFor makes a token of a purpose; it opens for that purpose only.
func (e *Engine) sealFor(purpose string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("a token cannot be written: %w", err)
	}
	return e.sealText(purpose, text)
}

func (e *Engine) sealText(purpose string, text []byte) (string, error) {
	box, err := e.vault()
	if err != nil {
		return "", err
	}
	nonce := make([]byte, box.NonceSize(), box.NonceSize()+len(text)+box.Overhead())
	rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(box.Seal(nonce, nonce, text, []byte(purpose))), nil
}

// openFor opens a token, or says that it is none.
func (e *Engine) openFor(purpose, token string, into any) bool {
	box, err := e.vault()
	if err != nil || len(token) > MaxFlowToken {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(sealed) < box.NonceSize() {
		return false
	}
	text, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(purpose))
	return err == nil && json.Unmarshal(text, into) == nil
}

// purposeFlow is what continuation tokens are sealed for.
const purposeFlow = "continuation"

// hiddenRoom is more bytes than those fields of a flow take up together that are
// filled for a user and empty for nobody.
const hiddenRoom = 192

// SealFlow makes the continuation token of a flow. Its length is the same
// whether there is such a user or not, and so does not tell.
func (e *Engine) SealFlow(f Flow) (string, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("a flow cannot be written: %w", err)
	}
	f.User, f.Challenge, f.Want = "", "", ""
	shown, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("a flow cannot be written: %w", err)
	}
	pad := max(0, len(shown)+hiddenRoom-len(text))
	token, err := e.sealText(purposeFlow, append(text, bytes.Repeat([]byte{' '}, pad)...))
	if err == nil && len(token) > MaxFlowToken {
		err = refuse(cloud.Invalid, "there is too much in this flow")
	}
	return token, err
}

// OpenFlow opens a continuation token. NotFound: it is none; Stale: it has
// ended.
func (e *Engine) OpenFlow(token string) (f Flow, err error) {
	if !e.openFor(purposeFlow, token, &f) {
		return Flow{}, refuse(cloud.NotFound, "that is no continuation token")
	}
	if now := e.now(); !now.Before(f.Until) || f.Begun.After(now.Add(flowToken)) {
		return f, refuse(cloud.Stale, "the continuation token has ended")
	}
	return f, nil
}

// flowState is what the store knows of a flow. There is none until the flow took
// a step that cannot be taken back, or a code of its own was sent.
type flowState struct {
	Turn int  `json:"turn,omitempty"`
	Over bool `json:"over,omitempty"`

	Code  []byte    `json:"code,omitempty"` // MAC of the code that was sent
	Tries int       `json:"tries,omitempty"`
	Until time.Time `json:"until,omitzero"` // of the code
}

const slipFlow = "flow/"

// flowAt reads what the store knows of a flow, if f is its latest. Stale: it is
// not, the token was used before.
func flowAt(r Reader, f *Flow) (st flowState, err error) {
	slip, err := r.Slip(slipFlow + f.ID)
	if err != nil || slip == nil {
		if err == nil && f.Turn != 0 {
			err = refuse(cloud.Stale, "the flow has ended")
		}
		return st, err
	}
	if err := json.Unmarshal(slip.Data, &st); err != nil {
		return st, refuse(cloud.Internal, "a flow cannot be read")
	}
	if st.Over || st.Turn != f.Turn {
		return st, refuse(cloud.Stale, "the continuation token was used")
	}
	return st, nil
}

func putFlow(tx Tx, f *Flow, st flowState) error {
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("a flow cannot be written: %w", err)
	}
	return tx.PutSlip(&Slip{ID: slipFlow + f.ID, User: f.User, Data: data, Until: f.Begun.Add(flowWhole)})
}

// goesOn moves a flow to a step that cannot be taken back: every token from
// before is refused.
func (e *Engine) goesOn(tx Tx, f *Flow, step Step) error {
	f.Turn++
	f.Challenge = ""
	*f = f.on(step, e.now())
	return putFlow(tx, f, flowState{Turn: f.Turn})
}

// ends closes a flow.
func ends(tx Tx, f *Flow) error { return putFlow(tx, f, flowState{Turn: f.Turn, Over: true}) }
