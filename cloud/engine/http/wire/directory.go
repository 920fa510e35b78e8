package wire

import (
	"time"

	"mfabridge/cloud"
)

// Value is what a method holds; all fields empty: none.
type Value struct {
	Text    string    `json:"text,omitempty"`
	OATH    *OATH     `json:"oath,omitempty"`
	Profile *Profile  `json:"profile,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	State   string    `json:"state,omitempty"`
}

// Change is one thing to do to one user.
type Change struct {
	User   string `json:"user,omitempty"`
	UPN    string `json:"upn,omitempty"`
	Op     string `json:"op"`
	Method string `json:"method"`
	ID     string `json:"id,omitempty"`
	Before Value  `json:"before,omitzero"`
	After  Value  `json:"after,omitzero"`
}

// FromChange makes a request; it holds secrets.
func FromChange(c *cloud.Change) Change {
	return Change{User: string(c.User), UPN: c.UPN, Op: string(c.Op), Method: string(c.Method), ID: c.ID,
		Before: fromValue(c.Before), After: fromValue(c.After)}
}

func fromValue(v cloud.Value) Value {
	w := Value{Text: v.Text, OATH: fromOATH(v.OATH), Profile: fromProfile(v.Profile), Until: utc(v.Until), State: v.State}
	if v.OATH != nil {
		w.OATH.Secret = v.OATH.Secret.Reveal()
	}
	return w
}

// Change turns it back.
func (w *Change) Change() cloud.Change {
	return cloud.Change{User: cloud.UserID(w.User), UPN: w.UPN, Op: cloud.Op(w.Op), Method: cloud.Method(w.Method), ID: w.ID,
		Before: w.Before.value(), After: w.After.value()}
}

func (w *Value) value() cloud.Value {
	return cloud.Value{Text: w.Text, OATH: w.OATH.oath(), Profile: w.Profile.profile(), Until: w.Until, State: w.State}
}

// Result is the answer to a change.
type Result struct {
	Outcome string `json:"outcome"`
	ID      string `json:"id,omitempty"`
	Error   *Error `json:"error,omitempty"`
}

// FromResult makes the answer.
func FromResult(r cloud.Result) Result {
	return Result{Outcome: string(r.Outcome), ID: r.ID, Error: FromError(r.Err)}
}

// Result turns it back.
func (w *Result) Result() cloud.Result {
	return cloud.Result{Outcome: cloud.Outcome(w.Outcome), ID: w.ID, Err: w.Error.ToError(0)}
}

// Bodies of /directory/v1.
type (
	// Key is one way to look a user up.
	Key struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
	}
	// FindRequest is the body of POST find.
	FindRequest struct {
		Keys []Key `json:"keys"`
	}
	// FindAnswer has the ids for each key.
	FindAnswer struct {
		Users [][]cloud.UserID `json:"users"`
	}
	// ReadRequest is the body of POST read.
	ReadRequest struct {
		IDs []cloud.UserID `json:"ids"`
	}
	// ReadAnswer has a user for each id.
	ReadAnswer struct {
		Users []User `json:"users"`
	}
	// WriteRequest is the body of POST write.
	WriteRequest struct {
		Changes []Change `json:"changes"`
	}
	// WriteAnswer has a result for each change.
	WriteAnswer struct {
		Results []Result `json:"results"`
	}
	// LockRequest is the body of POST lock.
	LockRequest struct {
		Holder string `json:"holder"`
	}
	// LockAnswer is a lock that is held until it is not renewed.
	LockAnswer struct {
		ID        string `json:"id"`
		ExpiresIn int    `json:"expires_in"` // seconds
	}
	// Member is a line of GET groups/{group}/members. The last line has End
	// or Error; an answer without it was cut off.
	Member struct {
		ID    string `json:"id,omitempty"`
		End   bool   `json:"end,omitempty"`
		Error *Error `json:"error,omitempty"`
	}
	// Check is one thing that was looked at before a plan.
	Check struct {
		Name   string `json:"name"`
		Result string `json:"result"`
		Detail string `json:"detail,omitempty"`
		Action string `json:"action,omitempty"`
	}
	// PreflightAnswer is the body of GET preflight.
	PreflightAnswer struct {
		Checks []Check `json:"checks"`
	}
)

// Capabilities are those of a target.
type Capabilities struct {
	Instance         string             `json:"instance"`
	Product          string             `json:"product"`
	Batch            int                `json:"batch"`
	Domains          []string           `json:"domains,omitempty"`
	CreateUsers      bool               `json:"create_users"`
	Aliases          bool               `json:"aliases"`
	Disable          bool               `json:"disable"`
	Block            bool               `json:"block"`
	Forbidden        []cloud.Method     `json:"forbidden,omitempty"`
	ForbiddenWays    []cloud.Preference `json:"forbidden_ways,omitempty"`
	SMSSignIn        bool               `json:"sms_sign_in,omitempty"`
	Delayed          bool               `json:"delayed"`
	Methods          map[string]Access  `json:"methods"`
	DefaultMethod    Access             `json:"default_method"`
	Preferences      []cloud.Preference `json:"preferences,omitempty"`
	DefaultIsUsed    bool               `json:"default_is_used"`
	EmailVerifies    bool               `json:"email_verifies"`
	OATH             OATHLimits         `json:"oath"`
	Telephony        []cloud.Preference `json:"telephony,omitempty"`
	RetiresTelephony bool               `json:"retires_telephony"`
	Cloud            string             `json:"cloud,omitempty"`
	Pace             Pace               `json:"pace,omitzero"`
	// Groups and Preflight tell which optional routes answer.
	Groups    bool `json:"groups"`
	Preflight bool `json:"preflight"`
}

// Access is what can be done with a method.
type Access struct {
	Create bool `json:"create"`
	Read   bool `json:"read"`
	Update bool `json:"update"`
	Delete bool `json:"delete"`
}

// OATHLimits are the limits on code generators.
type OATHLimits struct {
	Limit        int               `json:"limit,omitempty"`
	Algorithms   []cloud.Algorithm `json:"algorithms,omitempty"`
	Digits       []int             `json:"digits,omitempty"`
	Periods      []int             `json:"periods,omitempty"`
	Fingerprints bool              `json:"fingerprints"`
	Activates    bool              `json:"activates"`
	MinSecret    int               `json:"min_secret,omitempty"`
	MaxSecret    int               `json:"max_secret,omitempty"`
	MaxDrift     int               `json:"max_drift,omitempty"`
}

// Pace is how fast a target takes an apply.
type Pace struct {
	PerSecond float64                  `json:"per_second,omitempty"`
	Read      float64                  `json:"read,omitempty"`
	Change    map[cloud.Method]float64 `json:"change,omitempty"`
}

// FromCapabilities makes the answer.
func FromCapabilities(c *cloud.Capabilities) Capabilities {
	w := Capabilities{Instance: c.Instance, Product: c.Product, Batch: c.Batch, Domains: c.Domains, CreateUsers: c.CreateUsers,
		Aliases: c.Aliases, Disable: c.Disable, Block: c.Block, Forbidden: c.Forbidden, ForbiddenWays: c.ForbiddenWays, SMSSignIn: c.SMSSignIn, Delayed: c.Delayed, Methods: map[string]Access{},
		DefaultMethod: Access(c.DefaultMethod), Preferences: c.Preferences, DefaultIsUsed: c.DefaultIsUsed, EmailVerifies: c.EmailVerifies, OATH: OATHLimits(c.OATH),
		Telephony: c.Telephony, RetiresTelephony: c.RetiresTelephony, Cloud: c.Cloud, Pace: Pace(c.Pace)}
	for m, a := range c.Methods {
		w.Methods[string(m)] = Access(a)
	}
	return w
}

// Capabilities turns it back.
func (w *Capabilities) Capabilities() cloud.Capabilities {
	c := cloud.Capabilities{Instance: w.Instance, Product: w.Product, Batch: w.Batch, Domains: w.Domains, CreateUsers: w.CreateUsers,
		Aliases: w.Aliases, Disable: w.Disable, Block: w.Block, Forbidden: w.Forbidden, ForbiddenWays: w.ForbiddenWays, SMSSignIn: w.SMSSignIn, Delayed: w.Delayed, Methods: map[cloud.Method]cloud.Access{},
		DefaultMethod: cloud.Access(w.DefaultMethod), Preferences: w.Preferences, DefaultIsUsed: w.DefaultIsUsed, EmailVerifies: w.EmailVerifies,
		OATH: cloud.OATHCapabilities(w.OATH), Telephony: w.Telephony, RetiresTelephony: w.RetiresTelephony, Cloud: w.Cloud,
		Pace: cloud.Pace(w.Pace)}
	for m, a := range w.Methods {
		c.Methods[cloud.Method(m)] = cloud.Access(a)
	}
	return c
}
