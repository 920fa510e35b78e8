package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mfabridge/cloud"
)

// Write implements [cloud.Directory]. Every user is read first and each change
// compared with what is there; then the changes are made in rounds: one of each
// user side by side, the next of each user after that.
func (d *Directory) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	w := &writing{d: d, changes: changes, results: make([]cloud.Result, len(changes))}
	if len(changes) > batchLimit {
		return w.all(&cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("at most %d changes can be written at once", batchLimit)})
	}
	if err := w.begin(ctx); err != nil {
		return w.all(err)
	}
	for w.round(ctx) {
	}
	return w.results
}

// writing is one Write.
type writing struct {
	d       *Directory
	changes []cloud.Change
	results []cloud.Result
	users   map[cloud.UserID]*cloud.User
	next    map[cloud.UserID][]int // changes of each user that are still to be made
	read    time.Time              // when the users were looked at
	made    map[cloud.UserID][]cloud.Method
}

// all answers everything alike.
func (w *writing) all(err error) []cloud.Result {
	for i := range w.results {
		w.fail(i, err)
	}
	return w.results
}

func (w *writing) fail(i int, err error) {
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok {
		e = &cloud.Error{Kind: cloud.Unavailable, Message: "Graph was not asked, or did not answer", Err: err}
	}
	w.results[i] = cloud.Result{Outcome: cloud.Failed, Err: e}
}

// begin reads the users, and finds those who are named by user principal name
// only.
func (w *writing) begin(ctx context.Context) error {
	w.users, w.next, w.made = map[cloud.UserID]*cloud.User{}, map[cloud.UserID][]int{}, map[cloud.UserID][]cloud.Method{}
	var keys []cloud.Key
	var unnamed []int
	for i, c := range w.changes {
		if c.User == "" {
			keys, unnamed = append(keys, cloud.Key{Kind: cloud.ByUPN, Value: c.UPN}), append(unnamed, i)
		}
	}
	found, err := w.d.Find(ctx, keys)
	if err != nil {
		return err
	}
	owner := make([]cloud.UserID, len(w.changes))
	for k, i := range unnamed {
		if len(found[k]) == 1 {
			owner[i] = found[k][0]
		}
	}
	var ids []cloud.UserID
	for i, c := range w.changes {
		if c.User != "" {
			owner[i] = c.User
		}
		if id := owner[i]; id != "" {
			if w.next[id] == nil {
				ids = append(ids, id)
			}
			w.next[id] = append(w.next[id], i)
			continue
		}
		w.absent(i)
	}
	w.read = w.d.o.Now()
	users, err := w.d.Read(ctx, ids)
	refused, err := cloud.Unread(err)
	if err != nil {
		return err
	}
	for k, id := range ids {
		if users[k].ID == "" {
			w.leave(id, refused[id])
			continue
		}
		w.users[id] = &users[k]
	}
	return nil
}

// leave answers all that is still to be made of a user who is not there, or who
// cannot be read. Each answer has an error of its own: it is not about the call.
func (w *writing) leave(id cloud.UserID, refused *cloud.Error) {
	for _, i := range w.next[id] {
		if refused == nil {
			w.absent(i)
			continue
		}
		own := *refused
		w.fail(i, &own)
	}
	delete(w.next, id)
}

// absent answers for a user who is not there: nothing of them is, and nobody is
// made.
func (w *writing) absent(i int) {
	if w.changes[i].Method == cloud.Account {
		w.fail(i, &cloud.Error{Kind: cloud.Unsupported, Message: "Graph is asked to make no users"})
		return
	}
	if w.changes[i].After.IsZero() {
		w.results[i] = cloud.Result{Outcome: cloud.Already}
		return
	}
	w.fail(i, &cloud.Error{Kind: cloud.NotFound, Message: "there is no such user"})
}

// round makes the next change of each user. It returns false when all are made.
func (w *writing) round(ctx context.Context) bool {
	steps := map[string][]*step{}
	some := false
	if w.d.o.Now().Sub(w.read) > shortly {
		w.again(ctx)
	}
	for id, list := range w.next {
		if len(list) == 0 {
			continue
		}
		i := list[0]
		w.next[id] = list[1:]
		some = true
		if s := w.compare(i, w.users[id]); s != nil {
			steps[s.version] = append(steps[s.version], s)
		}
	}
	for _, version := range []string{v1, beta} {
		w.send(ctx, version, steps[version])
	}
	return some
}

// again looks at the users once more whose changes have had to wait: somebody
// may have been there meanwhile. What this call has written itself may be seen
// late, so that only the other methods are taken over. Where nobody can be
// looked at nothing more is written.
func (w *writing) again(ctx context.Context) {
	var ids []cloud.UserID
	for id, list := range w.next {
		if len(list) > 0 {
			ids = append(ids, id)
		}
	}
	w.read = w.d.o.Now()
	users, err := w.d.Read(ctx, ids)
	refused, err := cloud.Unread(err)
	for k, id := range ids {
		if err != nil {
			for _, i := range w.next[id] {
				w.fail(i, err)
			}
			delete(w.next, id)
			continue
		}
		if users[k].ID == "" {
			w.leave(id, refused[id])
			continue
		}
		for _, m := range w.made[id] {
			keep(&users[k], w.users[id], m)
		}
		w.users[id] = &users[k]
	}
}

// keep gives a user what from has of a method.
func keep(u, from *cloud.User, m cloud.Method) {
	switch m {
	case cloud.Mobile:
		u.Mobile = from.Mobile
	case cloud.AlternateMobile:
		u.Alternate = from.Alternate
	case cloud.Office:
		u.Office = from.Office
	case cloud.Email:
		u.Email = from.Email
	case cloud.DefaultMethod:
		u.Default = from.Default
	case cloud.HardwareOATH, cloud.SoftwareOATH:
		u.OATH = from.OATH
	case cloud.Authenticator:
		u.Authenticators = from.Authenticators
	}
}

// step is a change on its way.
type step struct {
	index   int
	user    *cloud.User
	change  cloud.Change
	version string
	item    *item // nil: a token, which takes several
	wrong   bool  // Graph refused it as such, the first time

	tokenless bool
	assigned  bool // a token, which was given to the user by this step
}

// compare answers a change that is there already, or that no longer fits, and
// returns the step for any other.
func (w *writing) compare(i int, u *cloud.User) *step {
	c := w.changes[i]
	before, after := u.Value(c.Method, c.ID, c.Before), u.Value(c.Method, c.ID, c.After)
	if c.After.IsZero() {
		after = before
	}
	switch {
	case c.Method == cloud.HardwareOATH && c.Op == cloud.Remove && after.IsZero() && c.Before.OATH != nil:
		// A run that ended in the middle may have left one that no user shows.
	case holds(c.Method, after, c.After):
		w.results[i] = cloud.Result{Outcome: cloud.Already, ID: methodID(c)}
		return nil
	case !holds(c.Method, before, c.Before), c.Op == cloud.Add && !after.IsZero():
		w.results[i] = cloud.Result{Outcome: cloud.Outdated, ID: methodID(c),
			Err: &cloud.Error{Kind: cloud.Stale, Message: fmt.Sprintf("%s is not as it was when the change was planned", c.Method)}}
		return nil
	}
	s := &step{index: i, user: u, change: c, version: v1, tokenless: w.d.o.Tokenless}
	if err := s.build(); err != nil {
		w.fail(i, err)
		return nil
	}
	return s
}

// holds compares a value; Graph may write a number with other blanks.
func holds(m cloud.Method, a, b cloud.Value) bool {
	if m.IsPhone() {
		a.Text, b.Text = digits(a.Text), digits(b.Text)
	}
	if m == cloud.Email {
		a.Text, b.Text = strings.ToLower(a.Text), strings.ToLower(b.Text)
	}
	return a.Equal(b)
}

func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' || r == 'x' {
			return r
		}
		return -1
	}, number)
}

var slotIDs = map[cloud.Method]string{cloud.Mobile: mobileID, cloud.AlternateMobile: alternateID, cloud.Office: officeID, cloud.Email: emailID}

func methodID(c cloud.Change) string {
	if id := slotIDs[c.Method]; id != "" {
		return id
	}
	return c.ID
}

// build makes the request of a change.
func (s *step) build() error {
	path := userPath(s.user.ID) + "/authentication/"
	switch c := s.change; {
	case c.Method.IsPhone():
		s.item = slot(c, path+"phoneMethods", phoneMethod{PhoneNumber: c.After.Text, PhoneType: string(c.Method)})
	case c.Method == cloud.Email:
		s.item = slot(c, path+"emailMethods", emailMethod{EmailAddress: c.After.Text})
	case c.Method == cloud.DefaultMethod && c.After.Text != "":
		s.version = beta
		s.item = &item{method: http.MethodPatch, path: path + "signInPreferences", body: preferences{Preferred: c.After.Text}}
	case c.Method == cloud.Authenticator && c.Op == cloud.Remove && c.ID != "":
		s.item = &item{method: http.MethodDelete, path: path + "microsoftAuthenticatorMethods/" + url.PathEscape(c.ID)}
	case c.Method == cloud.SoftwareOATH && c.Op == cloud.Remove && c.ID != "":
		s.item = &item{method: http.MethodDelete, path: path + "softwareOathMethods/" + url.PathEscape(c.ID)}
	case c.Method == cloud.HardwareOATH && c.Op != cloud.Update && !s.tokenless:
		s.version = beta
	default:
		return &cloud.Error{Kind: cloud.Unsupported, Message: fmt.Sprintf("Graph cannot %s %s", c.Op, c.Method)}
	}
	return nil
}

// slot is the request for a method of which there is one of a kind.
func slot(c cloud.Change, path string, body any) *item {
	one := path + "/" + slotIDs[c.Method]
	switch {
	case c.After.IsZero():
		return &item{method: http.MethodDelete, path: one}
	case c.Before.IsZero():
		return &item{method: http.MethodPost, path: path, body: body}
	default:
		return &item{method: http.MethodPatch, path: one, body: body}
	}
}

// send makes steps of one version and answers them.
func (w *writing) send(ctx context.Context, version string, steps []*step) {
	var items []*item
	var tokens []*step
	for _, s := range steps {
		if s.item == nil {
			tokens = append(tokens, s)
			continue
		}
		items = append(items, s.item)
	}
	if err := w.d.client.changes(ctx, version, items); err != nil {
		for _, s := range steps {
			w.fail(s.index, err)
		}
		return
	}
	var unclear []*step
	for _, s := range steps {
		switch {
		case s.item == nil:
		case s.item.ok():
			w.done(s, s.made())
		default:
			unclear = append(unclear, s)
		}
	}
	w.look(ctx, version, unclear)
	for _, s := range tokens {
		w.results[s.index] = w.d.token(ctx, s)
		w.made[s.user.ID] = append(w.made[s.user.ID], s.change.Method)
	}
}

// done answers a step that is made, and remembers it of the user: a later
// change may build on it.
func (w *writing) done(s *step, id string) {
	w.results[s.index] = cloud.Result{Outcome: cloud.Done, ID: id}
	w.made[s.user.ID] = append(w.made[s.user.ID], s.change.Method)
	switch value := s.change.After.Text; s.change.Method {
	case cloud.Mobile:
		s.user.Mobile = value
	case cloud.AlternateMobile:
		s.user.Alternate = value
	case cloud.Office:
		s.user.Office = value
	case cloud.Email:
		s.user.Email = value
	case cloud.DefaultMethod:
		s.user.Default = cloud.Preference(value)
	}
}

// made is the id of a method, as Graph gave it or as it is fixed.
func (s *step) made() string {
	var m struct {
		ID string `json:"id"`
	}
	if s.item != nil && s.item.method == http.MethodPost && s.item.into(&m) == nil && m.ID != "" {
		return m.ID
	}
	return methodID(s.change)
}
