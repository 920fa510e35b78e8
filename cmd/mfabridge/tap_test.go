package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"
)

// passes are made for whom the policy allows one, stand in the encrypted
// hand-out only, and are recorded without themselves.
func TestPassesOverGraph(t *testing.T) {
	r := hurried(t, nil, []string{"pass=once", "lost=4", "throttle=9"})
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := r.write(t, "who.txt", "# who comes today\nada@contoso.example\nnobody@contoso.example\nGRACE@contoso.example\nolga@contoso.example\nsven@contoso.example\nbea@contoso.example\n")
	issue := func(options ...string) []string {
		return r.to(append([]string{"tap", "issue", "--users", file, "--tenant", "entra:contoso.example", "--to", "age:" + who.Recipient().String()}, options...)...)
	}
	for name, refused := range map[string][]string{
		"no reason":      issue(),
		"a long life":    issue("--reason", "r", "--lifetime", "9h"),
		"a short life":   issue("--reason", "r", "--lifetime", "10m"),
		"another target": r.to("tap", "issue", "--users", file, "--tenant", r.store, "--to", "age:"+who.Recipient().String(), "--reason", "r"),
		"no recipient":   r.to("tap", "issue", "--users", file, "--tenant", "entra:contoso.example", "--reason", "r"),
		"a bad one":      r.to("tap", "issue", "--users", file, "--tenant", "entra:contoso.example", "--reason", "r", "--to", "age:"+who.String()),
	} {
		if got := r.run(t, refused...); got.code != exitUsage || strings.Contains(got.err, who.String()) {
			t.Errorf("%s: %d %s", name, got.code, got.err)
		}
	}
	got := r.must(t, exitPartly, issue("--reason", "new phones")...)
	if !strings.Contains(got.err, "nobody@contoso.example: there is no such user") || !strings.Contains(got.err, "olga@contoso.example: an administrator") ||
		!strings.Contains(got.err, "sven@contoso.example: the user is disabled") || !strings.Contains(got.err, "bea@contoso.example: a guest") || !strings.Contains(got.out, ": 2 passes") {
		t.Errorf("issued: %s%s", got.out, got.err)
	}
	sealed, err := os.ReadFile(file + ".passes.age")
	if err != nil {
		t.Fatal(err)
	}
	open, err := age.Decrypt(bytes.NewReader(sealed), who)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(open)
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`(?m)^pass  (\S{8,})$`).FindAllSubmatch(text, -1)
	if len(words) != 2 || !strings.Contains(string(text), "user  ada@contoso.example\n") || strings.Contains(string(text), "olga@") {
		t.Fatalf("the hand-out holds %d passes", len(words))
	}
	record, err := os.ReadFile(file + ".passes.age.record.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(record), `"outcome":"made"`); n != 2 || strings.Count(string(record), `"reason":"new phones"`) != 11 || !strings.Contains(string(record), "refused: ") {
		t.Errorf("%d passes in the record:\n%s", n, record)
	}
	for _, word := range words {
		for where, shown := range map[string]string{"output": got.out, "messages": got.err, "record": string(record), "hand-out": string(sealed)} {
			if strings.Contains(shown, string(word[1])) {
				t.Errorf("a pass is in clear in the %s", where)
			}
		}
	}
	if list := mfabridge(t, "engine", "user", "pass", "list", "ada@contoso.example", "--store", r.store); strings.Count(list.out, "valid") != 1 || !strings.Contains(list.out, "one") {
		t.Errorf("the user has: %s%s", list.out, list.err)
	}
	if again := r.run(t, issue("--reason", "r")...); again.code != exitFailed || !strings.Contains(again.err, "exists already") {
		t.Errorf("a hand-out is replaced: %d %s", again.code, again.err)
	}
}

func TestPassesAreRefusedByPolicy(t *testing.T) {
	r := hurried(t, nil, nil)
	file := r.write(t, "who.txt", "ada@contoso.example\n")
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	r.must(t, exitGate, r.to("tap", "issue", "--users", file, "--tenant", "entra:contoso.example", "--to", "age:"+who.Recipient().String(), "--reason", "r")...)
	if _, err := os.Stat(file + ".passes.age"); err == nil {
		t.Error("there is a hand-out")
	}
}

// A canary leaves nothing behind, whatever gets in its way.
func TestCanary(t *testing.T) {
	for assume, want := range map[string]string{
		"leak=no":                   "passed   canary.activation",
		"lost=3,throttle=9,busy=20": "passed   canary.phone",
		"late=4s,second=409":        "passed   canary.phone",
	} {
		t.Run(assume, func(t *testing.T) {
			r := hurried(t, []string{"oath-activation=yes"}, strings.Split(assume, ","))
			before := r.listing(t)
			got := r.must(t, exitDone, r.to("preflight", "--to", "entra:contoso.example", "--canary", "ada@contoso.example")...)
			if !strings.Contains(got.out, want) || !strings.Contains(got.out, "passed   canary.token") {
				t.Errorf("canary: %s", got.out)
			}
			if len(before) == 0 || firstDifference(r.listing(t), before) != firstDifference(before, before) {
				t.Errorf("it leaves: %s", firstDifference(r.listing(t), before))
			}
			for _, name := range []string{"olga@contoso.example", "nobody@contoso.example"} {
				got := r.must(t, exitGate, r.to("preflight", "--to", "entra:contoso.example", "--canary", name)...)
				if !strings.Contains(got.out, "blocker  canary.user") {
					t.Errorf("%s: %s", name, got.out)
				}
			}
		})
	}
	t.Run("activation is refused", func(t *testing.T) {
		r := hurried(t, nil, nil)
		got := r.must(t, exitDone, r.to("preflight", "--to", "entra:contoso.example", "--canary", "ada@contoso.example")...)
		if !strings.Contains(got.out, "warning  canary.activation") {
			t.Errorf("canary: %s", got.out)
		}
		must(t, exitUsage, "preflight", "--to", r.store, "--canary", "ada@contoso.example")
	})
	t.Run("no permission", func(t *testing.T) {
		r := hurried(t, nil, []string{"without=UserAuthenticationMethod.ReadWrite.All"})
		before := r.listing(t)
		got := r.must(t, exitGate, r.to("preflight", "--to", "entra:contoso.example", "--canary", "ada@contoso.example")...)
		if !strings.Contains(got.out, "blocker  permission.methods") || !strings.Contains(got.out, "unknown  canary") || len(r.listing(t)) != len(before) {
			t.Errorf("canary: %s", got.out)
		}
	})
}

// One at whom Graph fails gets no pass, and the others do.
func TestPassesBehindOneWhoIsNotTold(t *testing.T) {
	r := hurried(t, nil, []string{"pass=once", "unreadable=tim@contoso.example/500"})
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := r.write(t, "who.txt", "tim@contoso.example\nada@contoso.example\n")
	got := r.must(t, exitPartly, r.to("tap", "issue", "--users", file, "--tenant", "entra:contoso.example", "--to", "age:"+who.Recipient().String(), "--reason", "r")...)
	if !regexp.MustCompile(`tim@contoso\.example: user \S+ cannot be read: Graph answers 500`).MatchString(got.err) || !strings.Contains(got.out, ": 1 pass,") {
		t.Errorf("%s%s", got.out, got.err)
	}
}
