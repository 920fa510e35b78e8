package directory_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
	holder string // of the lock
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

func (r *rig) Lock(_ context.Context, holder string) (func() error, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holder != "" {
		return nil, &cloud.Error{Kind: cloud.Locked, Message: "locked by " + r.holder}
	}
	r.holder = holder
	return func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.holder = ""
		return nil
	}, nil
}

func (r *rig) held() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holder
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

// A lock ends by itself when it is not renewed, and who held it writes nothing
// from then on; renewed it stays.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		id := r.take(t, "one")
		under := []string{"Mfabridge-Lock", id}
		for range 5 {
			time.Sleep(50 * time.Second)
			if code, text := r.ask("one", "PUT", "/lock/"+id, ""); code != http.StatusOK {
				t.Fatalf("renewed: %d %s", code, text)
			}
		}
		if code, text := r.ask("one", "POST", "/write", change, under...); code != http.StatusOK {
			t.Errorf("under its lock: %d %s", code, text)
		}
		if code, _ := r.ask("two", "POST", "/lock", `{"holder":"two"}`); code != http.StatusLocked {
			t.Errorf("a second run: %d", code)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if r.held() != "" {
			t.Fatal("the lock outlived its lease")
		}
		other := r.take(t, "two")
		wrote := len(r.wrote)
		for name, c := range map[string]struct {
			app, method, path, body string
			want                    int
		}{
			"renewed too late":        {"one", "PUT", "/lock/" + id, "", http.StatusNotFound},
			"given back too late":     {"one", "DELETE", "/lock/" + id, "", http.StatusNotFound},
			"written too late":        {"one", "POST", "/write", change, http.StatusLocked},
			"renewed by another":      {"one", "PUT", "/lock/" + other, "", http.StatusNotFound},
			"given back by another":   {"one", "DELETE", "/lock/" + other, "", http.StatusNotFound},
			"written under another's": {"three", "POST", "/write", change, http.StatusLocked},
		} {
			if code, text := r.ask(c.app, c.method, c.path, c.body, under...); code != c.want {
				t.Errorf("%s: %d %s", name, code, text)
			}
		}
		if r.held() != "two" || len(r.wrote) != wrote {
			t.Errorf("the lock is held by %q, %d changes were written", r.held(), len(r.wrote)-wrote)
		}
		if code, _ := r.ask("two", "DELETE", "/lock/"+other, ""); code != http.StatusNoContent || r.held() != "" {
			t.Errorf("given back: %d, held by %q", code, r.held())
		}
		r.take(t, "three")
		if err := r.face.Close(); err != nil || r.held() != "" {
			t.Errorf("closed with %v, held by %q", err, r.held())
		}
	})
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
