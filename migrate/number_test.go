package migrate_test

import (
	"testing"

	"mfabridge/migrate"
)

func TestOneIsNotMany(t *testing.T) {
	for n, want := range map[int]string{0: "0 users are", 1: "1 user is", 2: "2 users are", 11: "11 users are"} {
		if got := migrate.Number(n, "user is", "users are"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for what, want := range map[string]string{"users": "user", "failures": "failure", "removals": "removal"} {
		if got := (&migrate.LimitError{What: what, Limit: 1}).Error(); got != "stopped at the limit of 1 "+want {
			t.Error(got)
		}
		if got := (&migrate.LimitError{What: what, Limit: 2}).Error(); got != "stopped at the limit of 2 "+what {
			t.Error(got)
		}
	}
}
