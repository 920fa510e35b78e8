package directory_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/directory"
	"mfabridge/cloud/engine/http/serve"
)

// rig is the face with a core that remembers what it was asked. Its callers
// are named by their tokens, "desk" of them with the role helpdesk.
type rig struct {
	face  *directory.Face
	table *serve.Table

	mu     sync.Mutex
	holder string        // of the lock
	life   time.Duration // that was asked for
	wrote  []cloud.Change
}

// Authenticate implements [serve.Authenticator].
func (r *rig) Authenticate(_ context.Context, token string) (serve.Caller, error) {
	role := engine.RoleMigrate
	if token == "desk" {
		role = engine.RoleHelpdesk
	}
	return serve.Caller{App: token, Role: role}, nil
}

func (r *rig) Capabilities(context.Context) (cloud.Capabilities, error) {
	return cloud.Capabilities{Instance: "i", Batch: 10}, nil
}

func (r *rig) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	return make([][]cloud.UserID, len(keys)), nil
}

// Read implements [cloud.DirectoryReader].
func (r *rig) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	users := make([]cloud.User, len(ids))
	for i, id := range ids {
		users[i] = cloud.User{ID: id}
	}
	return users, nil
}

func (r *rig) Write(_ context.Context, changes []cloud.Change) []cloud.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote = append(r.wrote, changes...)
	results := make([]cloud.Result, len(changes))
	for i := range results {
		results[i].Outcome = cloud.Done
	}
	return results
}

// Lease, Renew, Return and WriteUnder are of a lock that one holder has for as
// long as the test wants.
func (r *rig) Lease(_ context.Context, holder string, life time.Duration) (string, error) {
	if r.holder != "" {
		return "", &cloud.Error{Kind: cloud.Locked, Message: "locked by " + r.holder}
	}
	r.holder, r.life = holder, life
	return "lease-of-" + holder, nil
}

func (r *rig) Renew(_ context.Context, id string, life time.Duration) error {
	if r.holder == "" || id != "lease-of-"+r.holder {
		return &cloud.Error{Kind: cloud.NotFound, Message: "gone"}
	}
	r.life = life
	return nil
}

func (r *rig) Return(ctx context.Context, id string) error {
	err := r.Renew(ctx, id, 0)
	if err == nil {
		r.holder = ""
	}
	return err
}

func (r *rig) WriteUnder(ctx context.Context, id string, changes []cloud.Change) []cloud.Result {
	if r.Renew(ctx, id, r.life) == nil {
		return r.Write(ctx, changes)
	}
	results := make([]cloud.Result, len(changes))
	for i := range results {
		results[i] = cloud.Result{Outcome: cloud.Failed, Err: &cloud.Error{Kind: cloud.Locked, Message: "the lock of this run has ended"}}
	}
	return results
}

func build(t testing.TB) *rig {
	t.Helper()
	r := &rig{}
	r.face = directory.New(directory.Options{For: func(string) directory.Core { return r }, Lease: time.Minute})
	var err error
	if r.table, err = serve.New(serve.Options{Routes: r.face.Routes(), Auth: r}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) ask(app, method, path, body string, header ...string) (int, string) {
	q := httptest.NewRequest(method, "/directory/v1"+path, strings.NewReader(body))
	if body == "" {
		q.Body, q.ContentLength = http.NoBody, 0
	}
	q.Header.Set("Authorization", "Bearer "+app)
	q.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.table.Handler(serve.API).ServeHTTP(w, q)
	return w.Code, w.Body.String()
}

// take takes the lock and returns its id.
func (r *rig) take(t *testing.T, app string) string {
	t.Helper()
	code, text := r.ask(app, "POST", "/lock", `{"holder":"`+app+`"}`)
	var answer struct {
		ID        string `json:"id"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusCreated || answer.ID == "" || answer.ExpiresIn != 60 {
		t.Fatalf("no lock: %d %s", code, text)
	}
	return answer.ID
}

const change = `{"changes":[{"user":"u","op":"set","method":"block"}]}`

// A lock is the core's lease: given for a time, renewed for as much, and what
// is written under one that has gone is refused whole.
func TestLease(t *testing.T) {
	r := build(t)
	id := r.take(t, "one")
	r.life = 0
	if code, text := r.ask("one", "PUT", "/lock/"+id, ""); code != http.StatusOK || r.life != time.Minute {
		t.Errorf("renewed: %d %s, for %v", code, text, r.life)
	}
	if code, _ := r.ask("two", "POST", "/lock", `{"holder":"two"}`); code != http.StatusLocked {
		t.Errorf("a second run: %d", code)
	}
	if code, text := r.ask("one", "POST", "/write", change, "Mfabridge-Lock", id); code != http.StatusOK {
		t.Errorf("under its lock: %d %s", code, text)
	}
	if code, _ := r.ask("one", "DELETE", "/lock/"+id, ""); code != http.StatusNoContent || r.holder != "" {
		t.Errorf("given back: %d, held by %q", code, r.holder)
	}
	wrote := len(r.wrote)
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"renewed too late":    {"PUT", "/lock/" + id, "", http.StatusNotFound},
		"given back too late": {"DELETE", "/lock/" + id, "", http.StatusNotFound},
		"written too late":    {"POST", "/write", change, http.StatusLocked},
	} {
		if code, text := r.ask("one", c.method, c.path, c.body, "Mfabridge-Lock", id); code != c.want {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	if len(r.wrote) != wrote {
		t.Errorf("%d changes were written too late", len(r.wrote)-wrote)
	}
}

// A helpdesk blocks where a reason is asked for, and writes nothing here.
func TestDeskWritesNothing(t *testing.T) {
	r := build(t)
	if code, text := r.ask("desk", "POST", "/write", change); code != http.StatusForbidden || len(r.wrote) > 0 {
		t.Errorf("%d %s, %d changes were written", code, text, len(r.wrote))
	}
}

// FuzzWrite sends any body and any lock: nothing is written under a lock that
// is not held, nor by a helpdesk.
func FuzzWrite(f *testing.F) {
	f.Add("desk", change, "")
	f.Add("one", `{"changes":[{"upn":"u","op":"add","method":"softwareOath","after":{"oath":{"name":"n","serial":"s","algorithm":"SHA1","digits":6,"period":30,"secret":"AAAA"}}}]}`, "x")
	f.Add("desk", `{"changes":[{"user":"u","op":"set","method":"block","after":{"until":"2099-01-01T00:00:00Z"}},{"user":"boss","op":"set","method":"block"}]}`, "")
	f.Fuzz(func(t *testing.T, app, body, lock string) {
		if app != "desk" {
			app = "one"
		}
		if body == "" {
			return
		}
		r := build(t)
		code, text := r.ask(app, "POST", "/write", body, "Mfabridge-Lock", lock)
		if code == http.StatusInternalServerError {
			t.Errorf("%d %s", code, text)
		}
		if lock != "" && len(r.wrote) > 0 {
			t.Error("written under a lock that nobody holds")
		}
		if app == "desk" && len(r.wrote) > 0 {
			t.Errorf("a helpdesk wrote %+v", r.wrote)
		}
	})
}
