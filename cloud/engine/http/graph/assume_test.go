package graph_test

import (
	"os"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/graph"
)

func TestSwitchesAreDocumented(t *testing.T) {
	manual, err := os.ReadFile("../../../../docs/entra.md")
	check(t, err)
	for _, s := range graph.Switches() {
		row := "| `" + s.Name + "=" + strings.ReplaceAll(s.Values, "|", `\|`) + "` | " + s.About + " | " + s.Source + " |"
		if !strings.Contains(string(manual), row) {
			t.Errorf("docs/entra.md lacks the row %s", row)
		}
		value := strings.Split(s.Values, "|")[0]
		switch value {
		case "N":
			value = "5"
		case "DURATION":
			value = "5s"
		case "UPN[/STATUS]":
			value = "ada@contoso.example/500"
		case "GROUP/PRINCIPAL":
			value = "admins/ada@contoso.example"
		case "DOMAIN[/BEHAVIOR]":
			value = "contoso.example/rejectMfaByFederatedIdp"
		}
		if _, err := graph.ParseAssumptions([]string{s.Name + "=" + value}); err != nil {
			t.Errorf("%s=%s: %v", s.Name, value, err)
		}
	}
}

func TestSwitchesRefuse(t *testing.T) {
	for _, bad := range []string{"", "=", "nonsense=yes", "retry-after", "retry-after=maybe", "throttle=1", "throttle=0", "throttle=-5", "throttle=x", "busy=1",
		"late=5", "late=-5s", "late=48h", "second=200000", "second=404", "wrong-code=500", "without=", "page=0", "masked=1", "federated=", "federated=contoso", "federated=contoso.example/maybe", "federated=a b.c",
		"eligible=", "may-join=", "may-join=admins", "may-join=/ada@contoso.example", "owner=admins", "owner=", "premium=maybe", "unreadable=", "unreadable=ada", "unreadable=ada@contoso.example/200", "unreadable=ada@contoso.example/x"} {
		if _, err := graph.ParseAssumptions([]string{bad}); err == nil || cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%q is taken: %v", bad, err)
		}
	}
}
