package planfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/migrate/planfile"
)

// finished writes a plan without users into a folder of its own and returns
// its path.
func finished(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.db")
	w, err := planfile.Create(path, header(), planfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(summary()); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a killed run left is gone after the next one, wherever the kill came,
// and what belongs to others stays.
func TestLeftovers(t *testing.T) {
	const part = ".plan.db.00000000-0000-4000-8000-000000000000.part"
	for _, test := range []struct {
		name  string
		leave func(t *testing.T, path, part string)
		want  []string // what else is there, or all if the place is taken
		taken bool     // the plan's place is not free
	}{
		{"while users were written", func(t *testing.T, path, part string) {
			remove(t, path, planfile.KeyPath(path))
			write(t, part, []byte("half a database"))
		}, nil, false},
		{"before the key came to its place", func(t *testing.T, path, part string) {
			rename(t, path, part)
			rename(t, planfile.KeyPath(path), planfile.KeyPath(part))
		}, nil, false},
		{"between key and plan", func(t *testing.T, path, part string) {
			rename(t, path, part)
		}, nil, false},
		{"between the names of the key", func(t *testing.T, path, part string) {
			rename(t, path, part)
			write(t, planfile.KeyPath(part), read(t, planfile.KeyPath(path)))
		}, nil, false},
		{"between the names of the plan", func(t *testing.T, path, part string) {
			if err := os.Link(path, part); err != nil {
				t.Fatal(err)
			}
		}, []string{"plan.db", "plan.db.key"}, true},
		{"after its database was removed", func(t *testing.T, path, part string) {
			remove(t, path)
			rename(t, planfile.KeyPath(path), planfile.KeyPath(part))
		}, nil, false},
		{"beside the key of another plan", func(t *testing.T, path, part string) {
			remove(t, path)
			write(t, part, read(t, finished(t)))
		}, []string{"plan.db.key"}, true},
		{"for another file", func(t *testing.T, path, _ string) {
			remove(t, path, planfile.KeyPath(path))
			write(t, filepath.Join(filepath.Dir(path), ".other.db.1.part"), []byte("another's"))
		}, []string{".other.db.1.part"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := finished(t)
			dir := filepath.Dir(path)
			test.leave(t, path, filepath.Join(dir, part))
			w, err := planfile.Create(path, header(), planfile.Options{})
			if (err != nil) != test.taken {
				t.Fatalf("Create: %v", err)
			}
			want := test.want
			if !test.taken {
				if _, err := w.Finish(summary()); err != nil {
					t.Fatal(err)
				}
				want = append(slices.Clone(want), "plan.db", "plan.db.key")
			}
			if got := names(t, dir); !slices.Equal(got, want) {
				t.Errorf("the folder holds %v, want %v", got, want)
			}
			if p, err := planfile.Open(path, planfile.KeyPath(path)); slices.Contains(want, "plan.db") {
				if err != nil {
					t.Fatal(err)
				}
				p.Close()
			}
		})
	}
}

// An empty journal is one that has lost what it held: no kill leaves one.
func TestEmptyJournal(t *testing.T) {
	path := finished(t)
	p := open(t, path)
	journal := planfile.JournalPath(path)
	write(t, journal, nil)
	for name, open := range map[string]func(*planfile.Plan, string) (*planfile.Journal, error){"run": planfile.OpenJournal, "reading": planfile.ReadJournal} {
		_, err := open(p, journal)
		if err == nil || !strings.Contains(err.Error(), "it is empty") || !strings.Contains(hint.Of(err), "put a whole copy of it back") {
			t.Errorf("%s: %v (%s)", name, err, hint.Of(err))
		}
	}
	if _, err := planfile.Create(path, header(), planfile.Options{Overwrite: true}); err == nil {
		t.Error("a plan is overwritten that may have been applied")
	}
	if got, want := names(t, filepath.Dir(path)), []string{"plan.db", "plan.db.journal", "plan.db.key"}; !slices.Equal(got, want) {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
	write(t, journal, []byte("this is no journal, but somebody's text"))
	if _, err := planfile.ReadJournal(p, journal); err == nil {
		t.Error("a text passes for a journal")
	}
}

// What a run that was killed while it made the journal has left is gone after the next.
func TestJournalOfAKilledRun(t *testing.T) {
	path := finished(t)
	part := filepath.Join(filepath.Dir(path), ".plan.db.journal.new-1")
	write(t, part, nil)
	write(t, part+"-journal", []byte("half"))
	useJournal(t, open(t, path))
	if got, want := names(t, filepath.Dir(path)), []string{"plan.db", "plan.db.journal", "plan.db.key"}; !slices.Equal(got, want) {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
