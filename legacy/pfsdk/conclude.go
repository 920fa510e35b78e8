package pfsdk

import (
	"fmt"
	"strconv"
	"strings"

	"mfabridge/internal/secret"
	"mfabridge/internal/xmlpull"
)

// conclude passes on the records of an answer that is whole and says yes.
func (r *reader) conclude(a *answer) error {
	switch a.family {
	case blockFamily:
		a.concludeBlock()
	case activateFamily:
		return r.activated(a)
	case confirmFamily:
		return r.confirmed(a)
	case testFamily:
		return nil
	default:
		a.check()
	}
	if a.refused != "" {
		return r.refuse(a, a.refused)
	}
	for _, record := range a.records {
		if err := r.emit(record); err != nil {
			return err
		}
	}
	if a.family == findFamily && !isTrue(a.complete) {
		return r.to.Problem(Problem{Place: a.place, Operation: a.operation,
			Detail: "the list of users is not complete: the server has more than it lists here"})
	}
	return nil
}

// check refuses an answer that does not say that it succeeded.
func (a *answer) check() {
	switch {
	case a.refused != "":
	case a.code != 0:
		a.refused = a.failure()
	case !a.hasResult:
		a.refused = "the answer has no " + a.operation + "Result"
	case !isTrue(a.result):
		a.refused = "the server says that the operation failed, without a reason"
	}
}

// refusal says why an answer is a no.
func (a *answer) refusal() string {
	if a.refused == "" {
		return a.failure()
	}
	return a.refused
}

// failure is the server's error in words.
func (a *answer) failure() string {
	if words := meaning(a.code); words != "" {
		return fmt.Sprintf("%s (code %d)", words, a.code)
	}
	if a.description == "" {
		return "the server answers with the error " + strconv.Itoa(a.code)
	}
	return fmt.Sprintf("the server answers with the error %d: %q", a.code, a.description)
}

func (r *reader) refuse(a *answer, why string) error {
	return r.to.Problem(Problem{Place: a.place, Operation: a.operation, Username: a.username, Code: a.code, Detail: why})
}

// concludeBlock reads whether a user is blocked. Where the metadata leaves open
// whether the Result is the answer or says that there is one, an element of its
// own decides; without one the Result does.
func (a *answer) concludeBlock() {
	if a.refused != "" {
		return
	}
	if a.code == codeNotBlocked || a.code == codeNotBlockedToo {
		a.code, a.blocked, a.result, a.hasResult = 0, "false", "true", true
	}
	if a.blocked != "" {
		a.check()
	} else {
		a.blocked = a.result
		if a.code != 0 {
			a.refused = a.failure()
		}
	}
	value := ""
	switch {
	case isTrue(a.blocked):
		value = "true"
	case isFalse(a.blocked):
		value = "false"
	case a.refused == "":
		a.refused = "the answer does not say whether the user is blocked"
	}
	a.records = []Record{{Kind: Block, Operation: a.operation, Username: a.username, Place: a.place,
		Fields: []Field{{Name: "Blocked", Value: value, Place: a.place}}}}
}

// fault reads a SOAP fault: the server did not understand or could not answer.
func (r *reader) fault(place Place) error {
	reason := ""
	err := r.leaves(func(name string, _ Place, value func() (string, error)) (err error) {
		if name == "faultstring" || name == "Text" {
			reason, err = value()
		}
		return err
	})
	if err != nil {
		return err
	}
	detail := "the server answers with a SOAP fault"
	if reason = printable(reason); reason != "" {
		detail = fmt.Sprintf("the server answers with a SOAP fault: %q", reason)
	}
	r.last = answer{refused: detail, fault: true}
	return r.to.Problem(Problem{Place: place, Detail: detail})
}

// activation is one of the mobile app, as ActivateNew answered it.
type activation struct {
	request  request
	username string
	result   string
	code     string // that ConfirmActivation will repeat
	secret   secret.Bytes
	at       Place // of the secret
	place    Place
	enabled  string
}

// activation reads one element of the answer to ActivateNew, which may lie in
// another one.
func (r *reader) activation(a *answer, name string, at Place) error {
	read := func(name string, at Place) (err error) {
		v := &a.activated
		switch name {
		case "Username":
			v.username, err = r.leaf()
		case "ConfirmationCode":
			v.code, err = r.leaf()
		case "OathTokenSecretKey":
			v.at = at
			v.secret, err = r.secret()
		case "OathTokenEnabled":
			v.enabled, err = r.leaf()
		}
		return err
	}
	switch name {
	case "Username", "ConfirmationCode", "OathTokenSecretKey", "OathTokenEnabled":
		return read(name, at)
	case "TenantId", "AzureObjectId", "AccountName":
		return r.x.Skip()
	}
	// Either the Result as a boolean, or something that holds the elements.
	for depth := r.x.Depth(); ; {
		t, err := r.x.Next()
		if err != nil {
			return err
		}
		switch {
		case t.Kind == xmlpull.End && r.x.Depth() < depth:
			return nil
		case t.Kind == xmlpull.Start:
			if err := read(t.Name.Local, Place{t.Line, t.Column}); err != nil {
				return err
			}
		case t.Kind == xmlpull.Text && name == a.operation+"Result" && strings.TrimSpace(string(t.Text)) != "":
			a.activated.result = string(t.Text)
		}
	}
}

// activated keeps an activation until it is confirmed.
func (r *reader) activated(a *answer) error {
	v := a.activated
	v.place = a.place
	switch {
	case a.refused != "":
	case a.code != 0:
		a.refused = a.failure()
	case v.result != "" && !isTrue(v.result):
		a.refused = "the server says that the activation failed"
	case v.username == "":
		a.refused = "the answer names no user"
	case v.request.username != "" && !strings.EqualFold(v.request.username, v.username):
		a.refused = "the answer and its request name different users"
	case len(r.activations) == maxRecords:
		a.refused = fmt.Sprintf("more than %d activations stand without a confirmation", maxRecords)
	}
	if a.refused != "" {
		v.secret.Wipe()
		return r.refuse(a, a.refused)
	}
	r.activations = append(r.activations, v)
	return nil
}

// confirmed ends the activation that a ConfirmActivation speaks of.
func (r *reader) confirmed(a *answer) error {
	if a.check(); a.refused != "" {
		return r.refuse(a, a.refused)
	}
	for i, v := range r.activations {
		if v.code == "" || v.code != a.activated.request.code {
			continue
		}
		r.activations = append(r.activations[:i:i], r.activations[i+1:]...)
		return r.emit(v.record(true))
	}
	return r.refuse(a, "no activation in this file has this confirmation code")
}

// unconfirmed passes on the activations that the capture does not confirm:
// without their secrets, because the server may hold another one.
func (r *reader) unconfirmed() error {
	for _, v := range r.activations {
		if err := r.to.Problem(Problem{Place: v.place, Operation: "ActivateNew", Username: v.username, Field: "OathTokenSecretKey",
			Detail: "no ConfirmActivation in this file confirms this activation; its code secret is left out"}); err != nil {
			return err
		}
		v.secret.Wipe()
		if err := r.emit(v.record(false)); err != nil {
			return err
		}
	}
	return nil
}

func (v activation) record(confirmed bool) Record {
	record := Record{Kind: Device, Operation: "ActivateNew", Username: v.username, Place: v.place, Fields: v.request.device}
	if confirmed && !v.secret.IsZero() && !isFalse(v.enabled) {
		record.Fields = append(record.Fields, Field{Name: "OathTokenSecretKey", Secret: v.secret, Place: v.at})
	}
	return record
}
