package wire

import (
	"net/netip"
	"time"
	"unicode/utf8"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Client says who asks and for whom.
type Client struct {
	App     string `json:"app,omitempty"`
	Address string `json:"address,omitempty"` // IP address
	Station string `json:"station,omitempty"`
}

func fromClient(c cloud.Client) Client {
	w := Client{App: c.App, Station: c.Station}
	if c.Address.IsValid() {
		w.Address = c.Address.String()
	}
	return w
}

func (w *Client) client() (cloud.Client, error) {
	c := cloud.Client{App: w.App, Station: w.Station}
	if w.Address == "" {
		return c, nil
	}
	a, err := netip.ParseAddr(w.Address)
	if err != nil {
		return c, &cloud.Error{Kind: cloud.Invalid, Message: "client.address is not an IP address"}
	}
	c.Address = a
	return c, nil
}

// BeginRequest is the body of POST challenges. Exactly one of User and Subject
// says whose second factor is asked for: User is a name as typed.
type BeginRequest struct {
	User    string `json:"user,omitempty"`
	Subject Key    `json:"subject,omitzero"`
	SID     string `json:"sid,omitempty"` // of the subject, if known: a user who has another one is a conflict
	Method  string `json:"method,omitempty"`
	Client  Client `json:"client"`
	Code    string `json:"code,omitempty"`
	Shows   bool   `json:"shows_number,omitempty"`
	Tries   *int   `json:"tries,omitempty"` // left out: 3
	Context []byte `json:"context,omitempty"`
	Key     string `json:"idempotency_key,omitempty"`
}

// defaultTries holds where a request does not say.
const defaultTries = 3

// FromRequest makes a request; it may hold a code.
func FromRequest(r *cloud.Request) BeginRequest {
	return BeginRequest{Subject: Key{string(r.Subject.Kind), r.Subject.Value}, SID: r.SID, Method: string(r.Method), Client: fromClient(r.Client),
		Code: string(r.Code.Reveal()), Shows: r.ShowsNumber, Tries: &r.Tries, Context: r.Context, Key: r.Key}
}

// Request turns it back.
func (w *BeginRequest) Request() (cloud.Request, error) {
	client, err := w.Client.client()
	if err != nil {
		return cloud.Request{}, err
	}
	subject, err := subjectOf(w.User, w.Subject)
	if err != nil {
		return cloud.Request{}, err
	}
	tries := defaultTries
	if w.Tries != nil {
		tries = *w.Tries
	}
	return cloud.Request{Subject: subject, SID: w.SID, Method: cloud.Preference(w.Method), Client: client, Code: secret.FromString(w.Code),
		ShowsNumber: w.Shows, Tries: tries, Context: w.Context, Key: w.Key}, nil
}

func subjectOf(user string, key Key) (cloud.Key, error) {
	if (user == "") == (key == Key{}) {
		return cloud.Key{}, &cloud.Error{Kind: cloud.Invalid, Message: "exactly one of user and subject must be given"}
	}
	if user != "" {
		return cloud.Key{Kind: cloud.ByName, Value: user}, nil
	}
	return cloud.Key{Kind: cloud.KeyKind(key.Kind), Value: key.Value}, nil
}

// Challenge is a second factor being asked for.
type Challenge struct {
	ID        string    `json:"id"`
	User      string    `json:"user,omitempty"`
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	Method    string    `json:"method,omitempty"`
	Prompt    string    `json:"prompt,omitempty"`
	Number    string    `json:"number,omitempty"`
	Bypassed  bool      `json:"bypassed,omitempty"`
	Repeated  bool      `json:"repeated,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// FromChallenge makes the answer.
func FromChallenge(c *cloud.Challenge) Challenge {
	return Challenge{ID: string(c.ID), User: string(c.User), State: string(c.State), Reason: string(c.Reason), Method: string(c.Method),
		Prompt: c.Prompt, Number: c.Number, Bypassed: c.Bypassed, Repeated: c.Repeated, ExpiresAt: utc(c.ExpiresAt)}
}

// Challenge turns it back.
func (w *Challenge) Challenge() cloud.Challenge {
	return cloud.Challenge{ID: cloud.ChallengeID(w.ID), User: cloud.UserID(w.User), State: cloud.State(w.State), Reason: cloud.Reason(w.Reason),
		Method: cloud.Preference(w.Method), Prompt: w.Prompt, Number: w.Number, Bypassed: w.Bypassed, Repeated: w.Repeated, ExpiresAt: w.ExpiresAt}
}

// Decision is where a challenge stands.
type Decision struct {
	ID        string `json:"id"`
	User      string `json:"user,omitempty"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Method    string `json:"method,omitempty"`
	TriesLeft int    `json:"tries_left,omitempty"`
	Context   []byte `json:"context,omitempty"`
	Repeated  bool   `json:"repeated,omitempty"`

	At time.Time `json:"at,omitzero"`
}

// FromDecision makes the answer.
func FromDecision(d *cloud.Decision) Decision {
	return Decision{ID: string(d.Challenge), User: string(d.User), State: string(d.State), Reason: string(d.Reason), Method: string(d.Method),
		TriesLeft: d.TriesLeft, Context: d.Context, Repeated: d.Repeated, At: utc(d.At)}
}

// Decision turns it back.
func (w *Decision) Decision() cloud.Decision {
	return cloud.Decision{Challenge: cloud.ChallengeID(w.ID), User: cloud.UserID(w.User), State: cloud.State(w.State), Reason: cloud.Reason(w.Reason),
		Method: cloud.Preference(w.Method), TriesLeft: w.TriesLeft, Context: w.Context, Repeated: w.Repeated, At: w.At}
}

// Bodies of /verify/v1.
type (
	// AnswerRequest is the body of POST challenges/{id}/answer.
	AnswerRequest struct {
		Code string `json:"code"`
		Key  string `json:"idempotency_key,omitempty"`
	}
	// LookRequest is the body of POST look.
	LookRequest struct {
		IDs []cloud.ChallengeID `json:"ids"`
	}
	// LookAnswer has a decision for each id.
	LookAnswer struct {
		Challenges []Decision `json:"challenges"`
	}
	// MatchRequest is the body of POST match; who it is as in BeginRequest.
	MatchRequest struct {
		User    string `json:"user,omitempty"`
		Subject Key    `json:"subject,omitzero"`
		Code    string `json:"code"`
		Client  Client `json:"client"`
	}
	// NoticeRequest is the body of POST notices. Without more than a key it
	// asks whether the notice is up.
	NoticeRequest struct {
		Key   string  `json:"key"`
		Life  float64 `json:"life,omitempty"`  // seconds
		Claim bool    `json:"claim,omitempty"` // put it up only if it is not up
		Down  bool    `json:"down,omitempty"`  // take it down
	}
	// NoticeAnswer says whether the notice is up now, and of a claim whether
	// this one has put it up.
	NoticeAnswer struct {
		Up   bool `json:"up"`
		Mine bool `json:"mine,omitempty"`
	}
	// MatchAnswer says whether the code is right now.
	MatchAnswer struct {
		Matches bool `json:"matches"`
	}
	// PasswordRequest is the body of POST passwords; who it is as in
	// BeginRequest.
	PasswordRequest struct {
		User     string `json:"user,omitempty"`
		Subject  Key    `json:"subject,omitzero"`
		Password string `json:"password,omitempty"`
		// Octets is the password where it is not UTF-8.
		Octets []byte `json:"password_base64,omitempty"`
		Client Client `json:"client"`
		// Primary is who is to prove it, by its name in engine.yaml; left out:
		// whoever does so for everybody.
		Primary string `json:"primary,omitempty"`
	}
	// PasswordAnswer says whether it is the user's password.
	PasswordAnswer struct {
		OK     bool     `json:"ok"`
		Reason string   `json:"reason,omitempty"`
		User   string   `json:"user,omitempty"`
		UPN    string   `json:"upn,omitempty"`
		Groups []string `json:"groups,omitempty"`
	}
)

type (
	// NumberRequest is the body of POST numbers.
	NumberRequest struct {
		Number string `json:"number"` // +CC NNN
		Client Client `json:"client"`
	}
	// NumberAsked is its answer, whether or not the number is anybody's.
	NumberAsked struct {
		ID        string    `json:"id"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	// NumberAnswer is the body of POST numbers/{id}/answer; its answer is a
	// PasswordAnswer.
	NumberAnswer struct {
		Code   string `json:"code"`
		Key    string `json:"idempotency_key,omitempty"`
		Client Client `json:"client"`
	}
)

// Parts turns it back.
func (w *NumberRequest) Parts() (number string, client cloud.Client, err error) {
	client, err = w.Client.client()
	return w.Number, client, err
}

// Parts turns it back, for the sign-in of an id.
func (w *NumberAnswer) Parts(id string) (cloud.Answer, cloud.Client, error) {
	client, err := w.Client.client()
	return cloud.Answer{Challenge: cloud.ChallengeID(id), Code: secret.FromString(w.Code), Key: w.Key}, client, err
}

// FromPassword makes a request; it holds a password.
func FromPassword(subject cloud.Key, password secret.Bytes, client cloud.Client) PasswordRequest {
	w := PasswordRequest{Subject: Key{string(subject.Kind), subject.Value}, Client: fromClient(client)}
	if utf8.Valid(password.Reveal()) {
		w.Password = string(password.Reveal())
	} else {
		w.Octets = password.Reveal()
	}
	return w
}

// Parts turns it back.
func (w *PasswordRequest) Parts() (cloud.Key, secret.Bytes, cloud.Client, error) {
	client, err := w.Client.client()
	if err != nil {
		return cloud.Key{}, secret.Bytes{}, client, err
	}
	subject, err := subjectOf(w.User, w.Subject)
	password := secret.FromString(w.Password)
	if len(w.Octets) > 0 {
		if w.Password != "" {
			return subject, password, client, &cloud.Error{Kind: cloud.Invalid, Message: "only one of password and password_base64 may be given"}
		}
		password = secret.New(w.Octets)
	}
	return subject, password, client, err
}

// FromMatch makes a request; it holds a code.
func FromMatch(subject cloud.Key, code secret.Bytes, client cloud.Client) MatchRequest {
	return MatchRequest{Subject: Key{string(subject.Kind), subject.Value}, Code: string(code.Reveal()), Client: fromClient(client)}
}

// Parts turns it back.
func (w *MatchRequest) Parts() (cloud.Key, secret.Bytes, cloud.Client, error) {
	client, err := w.Client.client()
	if err != nil {
		return cloud.Key{}, secret.Bytes{}, client, err
	}
	subject, err := subjectOf(w.User, w.Subject)
	return subject, secret.FromString(w.Code), client, err
}

// FromProof makes the answer.
func FromProof(p cloud.Proof) PasswordAnswer {
	return PasswordAnswer{OK: p.OK, Reason: string(p.Reason), User: string(p.User), UPN: p.UPN, Groups: p.Groups}
}

// Proof turns it back.
func (w *PasswordAnswer) Proof() cloud.Proof {
	return cloud.Proof{OK: w.OK, Reason: cloud.Reason(w.Reason), User: cloud.UserID(w.User), UPN: w.UPN, Groups: w.Groups}
}

// ToAnswer turns the body of an answer into one.
func ToAnswer(id cloud.ChallengeID, w *AnswerRequest) cloud.Answer {
	return cloud.Answer{Challenge: id, Code: secret.FromString(w.Code), Key: w.Key}
}

// Lifetime is Life, within reason. What is no life at all is the engine's to
// refuse.
func (w *NoticeRequest) Lifetime() time.Duration {
	if w.Life < 0 {
		return -1
	}
	return seconds(w.Life)
}
