package sqlite

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud/engine"
)

// Whatever reads challenges, attempts, clocks or the audit within a transaction
// has to know of the rows that are late. Whoever adds a method that reads says
// here what it does about them.
func TestEveryReaderKnowsOfLateRows(t *testing.T) {
	const (
		never  = "" // what is read is written at once
		merges = "finds late rows where they are"
		writes = "has late rows written before"
	)
	decided := map[string]string{
		"Challenge": merges, "Attempt": merges, "Tokens": merges,
		"ChallengesAfter": writes, "Audit": writes, "LastAudit": writes,
		"Meta": never, "MetaNames": never, "User": never, "UserNamed": never, "UsersAfter": never, "Spent": never, "HolderBesides": never,
		"LastSent": never, "Failures": never, "FailuresOf": never, "Flight": never, "FlightOf": never, "FlightsDue": never,
		"App": never, "Apps": never, "Devices": never, "Slip": never, "SlipsOf": never,
		"Group": never, "GroupNamed": never, "GroupsAfter": never, "MembersAfter": never, "Parents": never,
	}
	var methods []string
	for i := range reflect.TypeFor[engine.Reader]().NumMethod() {
		methods = append(methods, reflect.TypeFor[engine.Reader]().Method(i).Name)
	}
	if diff := cmp.Diff(methods, slices.Sorted(maps.Keys(decided))); diff != "" {
		t.Error(diff)
	}
	s := opened(t)
	err := s.Update(t.Context(), func(of engine.Tx) error {
		for method, what := range decided {
			of.(tx).c.late.direct = false
			call := reflect.ValueOf(of).MethodByName(method)
			args := make([]reflect.Value, call.Type().NumIn())
			for i := range args {
				args[i] = reflect.Zero(call.Type().In(i))
			}
			call.Call(args)
			if wrote := of.(tx).c.late.direct; wrote != (what == writes) {
				t.Errorf("%s wrote late rows: %v", method, wrote)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
