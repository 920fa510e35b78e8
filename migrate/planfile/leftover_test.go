package planfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mfabridge/migrate"
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

// A journal that a killed run got no further with than its name has nothing
// in it, and is in nobody's way.
func TestBlankJournal(t *testing.T) {
	path := finished(t)
	p := open(t, path)
	write(t, planfile.JournalPath(path), nil)
	j, err := planfile.ReadJournal(p, planfile.JournalPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := j.Entries(t.Context(), 0, 10); len(entries) > 0 || err != nil {
		t.Errorf("a blank journal has %v, %v", entries, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := planfile.Create(path, header(), planfile.Options{Overwrite: true})
	if err != nil {
		t.Fatalf("a blank journal is in the way: %v", err)
	}
	w.Abort()
	if j, err = planfile.OpenJournal(p, planfile.JournalPath(path)); err != nil {
		t.Fatal(err)
	}
	if run, err := j.Begin(t.Context(), migrate.PhaseApply); run != 1 || err != nil {
		t.Errorf("Begin: %d, %v", run, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, planfile.JournalPath(path), []byte("this is no journal, but somebody's text"))
	if _, err := planfile.ReadJournal(p, planfile.JournalPath(path)); err == nil {
		t.Error("a text passes for a journal")
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
