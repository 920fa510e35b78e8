package migrate_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// grouped is a directory that knows groups, and remembers whom it was asked for.
type grouped struct {
	directory
	groups map[string][]cloud.UserID
	read   []cloud.UserID
	found  []string
}

func (d *grouped) Members(_ context.Context, group string) iter.Seq2[cloud.UserID, error] {
	return func(yield func(cloud.UserID, error) bool) {
		ids, ok := d.groups[group]
		if !ok {
			yield("", &cloud.Error{Kind: cloud.NotFound, Message: "there is no such group"})
			return
		}
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (d *grouped) Find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	for _, k := range keys {
		d.found = append(d.found, k.Value)
	}
	return d.directory.Find(ctx, keys)
}

func (d *grouped) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	d.read = append(d.read, ids...)
	return d.directory.Read(ctx, ids)
}

func file(text string) func(string) (io.ReadCloser, error) {
	return func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func selection(t *testing.T, given, text string) migrate.Selection {
	t.Helper()
	s, err := migrate.ParseSelection(given, file(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cohort are n rows with users of the target; those of odd number share no key
// with anybody.
func cohort(n int) ([]legacy.User, []*cloud.User) {
	var users []legacy.User
	var people []*cloud.User
	for i := range n {
		upn := fmt.Sprintf("user%d@contoso.example", i)
		users = append(users, row(upn, i))
		people = append(people, person(fmt.Sprintf("id-%d", i), upn, ""))
	}
	return users, people
}

func planFor(t *testing.T, dir cloud.DirectoryReader, users []legacy.User, opt migrate.Options) (*sheet, migrate.Summary, error) {
	t.Helper()
	opt.Now, opt.ExportTime, opt.TempDir = now, exported, t.TempDir()
	var out sheet
	sum, err := migrate.Plan(t.Context(), &export{users: users}, dir, opt, &out)
	return &out, sum, err
}

func usernames(s *sheet) []string {
	var names []string
	for _, d := range s.decisions {
		names = append(names, strings.TrimSuffix(d.Username, "@contoso.example"))
	}
	return names
}

func TestPrivilegedNamesThatNobodyHas(t *testing.T) {
	users, people := cohort(3)
	opt := migrate.Options{Privileged: selection(t, "users:admins.txt", "USER1@contoso.example\nghost@contoso.example\n").Names}
	out, _, err := planFor(t, &grouped{directory: directory{caps: engine(), users: people}}, users, opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.problems) != 1 || out.problems[0].Code != migrate.ListedUserUnknown || out.problems[0].Place != "admins.txt:2" ||
		out.problems[0].Field != "--include-privileged" {
		t.Errorf("findings %+v", out.problems)
	}
}

func TestScopeOfNamesAsksForNobodyElse(t *testing.T) {
	users, people := cohort(9)
	dir := &grouped{directory: directory{caps: engine(), users: people}}
	opt := migrate.Options{Scope: selection(t, "users:pilot.txt", "# pilot\nUSER3@contoso.example\n\nuser7@contoso.example\nghost@contoso.example\n")}
	out, sum, err := planFor(t, dir, users, opt)
	if err != nil {
		t.Fatal(err)
	}
	if got := usernames(out); !slices.Equal(got, []string{"user3", "user7"}) {
		t.Errorf("the plan is about %v", got)
	}
	if !slices.Equal(dir.read, []cloud.UserID{"id-3", "id-7"}) {
		t.Errorf("the target was read for %v", dir.read)
	}
	for _, name := range dir.found {
		if !strings.HasPrefix(name, "user3@") && !strings.HasPrefix(name, "user7@") {
			t.Errorf("the target was asked for %s", name)
		}
	}
	if sum.LeftOut != 7 || sum.Total() != 2 {
		t.Errorf("%d left out, %d in the plan", sum.LeftOut, sum.Total())
	}
	if len(out.problems) != 1 || out.problems[0].Code != migrate.ListedUserUnknown || out.problems[0].Place != "pilot.txt:5" ||
		!strings.Contains(out.problems[0].Detail, "ghost@") {
		t.Errorf("problems: %+v", out.problems)
	}
}

func TestScopeOfGroupReadsItsMembersOnly(t *testing.T) {
	users, people := cohort(9)
	dir := &grouped{directory: directory{caps: engine(), users: people},
		groups: map[string][]cloud.UserID{"Pilot": {"id-8", "id-2", "id-of-nobody"}, "Nobody": {"id-of-nobody"}}}
	out, sum, err := planFor(t, dir, users, migrate.Options{CreateUsers: true, Scope: selection(t, "group:Pilot", "")})
	if err != nil {
		t.Fatal(err)
	}
	if got := usernames(out); !slices.Equal(got, []string{"user2", "user8"}) || sum.LeftOut != 7 {
		t.Errorf("the plan is about %v, %d left out", got, sum.LeftOut)
	}
	if !slices.Equal(dir.read, []cloud.UserID{"id-2", "id-8"}) {
		t.Errorf("the target was read for %v", dir.read)
	}
	for given, want := range map[string]string{"group:Other": "no such group", "group:Nobody": "nobody to plan for"} {
		if _, _, err := planFor(t, dir, users, migrate.Options{Scope: selection(t, given, "")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", given, err)
		}
	}
	if _, _, err := planFor(t, &dir.directory, users, migrate.Options{Scope: selection(t, "group:Pilot", "")}); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("a target without groups: %v", err)
	}
}

// A row out of scope still holds what somebody else must not be given.
func TestRowsOutOfScopeKeepTheirClaims(t *testing.T) {
	users, people := cohort(4)
	for _, i := range []int{1, 3} {
		users[i].Tokens = []legacy.Token{token(fmt.Sprintf("T%d", i), "12345678901234567890")}
	}
	dir := &grouped{directory: directory{caps: engine(), users: people}}
	out, _, err := planFor(t, dir, users, migrate.Options{Scope: selection(t, "users:a.txt", "user3@contoso.example")})
	if err != nil {
		t.Fatal(err)
	}
	d := out.of("user3@contoso.example")
	if !slices.ContainsFunc(d.Findings, func(f migrate.Finding) bool {
		return f.Code == migrate.TokenConflict && strings.Contains(f.Detail, "user1@")
	}) {
		t.Errorf("a token that stands with a row out of scope, too, has no conflict: %+v", d.Findings)
	}
	for _, c := range d.Changes {
		if c.Method.IsOATH() {
			t.Errorf("and is given to the user: %+v", c)
		}
	}
}

func wave(t *testing.T, given, text string) migrate.Wave {
	t.Helper()
	w, err := migrate.ParseWave(given, file(text))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWaves(t *testing.T) {
	users, people := cohort(20)
	dir := &grouped{directory: directory{caps: engine(), users: people}, groups: map[string][]cloud.UserID{"IT": {"id-0", "id-1", "id-2"}}}
	out, sum, err := planFor(t, dir, users, migrate.Options{Waves: []migrate.Wave{
		wave(t, "board=users:board.txt", "user2@contoso.example\nuser4@contoso.example\n"),
		wave(t, "it=group:IT", ""),
		wave(t, "again=users:again.txt", "user0@contoso.example\n"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"user2": "board", "user4": "board", "user0": "it", "user1": "it"}
	for _, d := range out.decisions {
		if name := strings.TrimSuffix(d.Username, "@contoso.example"); d.Wave != want[name] {
			t.Errorf("%s is in wave %q, want %q", name, d.Wave, want[name])
		}
	}
	if sum.Waves["board"].Total() != 2 || sum.Waves["it"].Total() != 2 || sum.Waves["it"].ChangesOf[cloud.Mobile] != 2 {
		t.Errorf("waves: %+v", sum.Waves)
	}
	var codes []migrate.Code
	for _, f := range out.problems {
		codes = append(codes, f.Code)
	}
	if !slices.Equal(codes, []migrate.Code{migrate.WaveOverlap, migrate.WaveEmpty, migrate.WaveOverlap}) {
		t.Errorf("findings %v", codes)
	}
}

// Whoever is in a small share is in every larger one, whatever else the export
// holds.
func TestSharesGrow(t *testing.T) {
	users, people := cohort(2000)
	dir := &grouped{directory: directory{caps: engine(), users: people}}
	in := func(users []legacy.User, share string) map[string]bool {
		out, _, err := planFor(t, dir, users, migrate.Options{Waves: []migrate.Wave{wave(t, "w="+share, "")}})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, d := range out.decisions {
			if d.Wave == "w" {
				names[d.Username] = true
			}
		}
		return names
	}
	small, large, all := in(users[:1000], "5%"), in(users, "20.5%"), in(users, "100%")
	for name := range small {
		if !large[name] {
			t.Errorf("%s is in 5%% and not in 20%%", name)
		}
	}
	if len(all) != 2000 || len(large) < 350 || len(large) > 470 || len(small) < 30 || len(small) > 75 {
		t.Errorf("%d of 1000 in 5%%, %d of 2000 in 20.5%%, %d in 100%%", len(small), len(large), len(all))
	}
}

func TestSelectionsThatAreRefused(t *testing.T) {
	for _, given := range []string{"", "users:", "group:", "0%", "101%", "-5%", "5.123%", "x%", "5", "user:a", "%"} {
		if s, err := migrate.ParseSelection(given, file("ada")); err == nil {
			t.Errorf("%q is taken as %+v", given, s)
		}
	}
	for _, given := range []string{"5%", "=5%", "a b=5%", "../x=5%", "a=all%", strings.Repeat("a", 33) + "=5%"} {
		if w, err := migrate.ParseWave(given, file("ada")); err == nil {
			t.Errorf("%q is taken as %+v", given, w)
		}
	}
	for name, text := range map[string]string{
		"empty": "# nobody\n\n", "table": "ada,5\n", "comment behind a name": "ada # boss\n", "quoted": "\"ada\"\n", "control": "a\x07da\n", "not UTF-8": "\xff\xfea\x00\n",
		"tab": "ada\tbyron", "long": strings.Repeat("a", migrate.MaxName+1), "very long": strings.Repeat("a", 1<<16),
	} {
		if _, err := migrate.ParseSelection("users:f", file(text)); err == nil {
			t.Errorf("%s: the file is taken", name)
		}
	}
	users, people := cohort(1)
	dir := &grouped{directory: directory{caps: engine(), users: people}}
	twice := []migrate.Wave{wave(t, "a=5%", ""), wave(t, "A=6%", "")}
	if _, _, err := planFor(t, dir, users, migrate.Options{Waves: twice}); err == nil {
		t.Error("a wave that stands twice is taken")
	}
	if _, _, err := planFor(t, dir, users, migrate.Options{Scope: selection(t, "5%", "")}); err == nil {
		t.Error("a share is taken as the scope")
	}
}

// Waves that cannot be told apart are refused, and more than a plan takes.
func TestCheckWaves(t *testing.T) {
	named := func(n int) (waves []migrate.Wave) {
		for i := range n {
			waves = append(waves, migrate.Wave{Name: fmt.Sprint("w", i)})
		}
		return waves
	}
	if err := migrate.CheckWaves(named(migrate.MaxWaves)); err != nil {
		t.Errorf("as many as may: %v", err)
	}
	for what, waves := range map[string][]migrate.Wave{
		"one more": named(migrate.MaxWaves + 1), "no name": {{}}, "no name of a wave": {{Name: "../x"}}, "twice": {{Name: "pilot"}, {Name: "it"}, {Name: "Pilot"}},
	} {
		if err := migrate.CheckWaves(waves); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// The least share and the largest, and everybody.
func TestSharesThatAreTaken(t *testing.T) {
	for given, want := range map[string]int{"0.01%": 1, "100%": 10_000, "100.00%": 10_000, "7.5%": 750, "all": 0} {
		if s, err := migrate.ParseSelection(given, file("ada")); err != nil || s.Share != want || s.Names != nil || s.Group != "" {
			t.Errorf("%s: %+v, %v", given, s, err)
		}
	}
	if s, err := migrate.ParseSelection("100.01%", file("ada")); err == nil {
		t.Errorf("more than all: %+v", s)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("ada@contoso.example\r\n# x\nCONTOSO\\ben\n")
	f.Add("\ufeffada\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := migrate.ReadNames("f", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })
		if (n == nil) == (err == nil) {
			t.Errorf("%v with %v", n, err)
		}
	})
}

func TestEstimate(t *testing.T) {
	s := migrate.Summary{ChangesOf: map[cloud.Method]int{cloud.Mobile: 30, cloud.HardwareOATH: 10}, Users: map[migrate.Action]int{migrate.Modify: 20, migrate.Skip: 5}}
	if e := migrate.EstimateOf(&s, &cloud.Capabilities{Batch: 20}); e.Requests != 4 || e.Seconds != nil {
		t.Errorf("of a target that says nothing: %+v", e)
	}
	pace := cloud.Pace{PerSecond: 2, Read: 0.5, Change: map[cloud.Method]float64{cloud.HardwareOATH: 3}}
	if e := migrate.EstimateOf(&s, &cloud.Capabilities{Batch: 20, Pace: pace}); e.Requests != 70 || e.Seconds == nil || *e.Seconds != 35 {
		t.Errorf("of a target with a pace: %+v", e)
	}
}

// Sums of fractions depend on their order, which must not be that of a map.
func TestEstimateIsTheSameEveryTime(t *testing.T) {
	s := migrate.Summary{ChangesOf: map[cloud.Method]int{cloud.Mobile: 1, cloud.Office: 1, cloud.Email: 1, cloud.AlternateMobile: 1}}
	pace := cloud.Pace{PerSecond: 1, Change: map[cloud.Method]float64{cloud.Mobile: 0.9, cloud.Office: 0.7, cloud.Email: 0.8, cloud.AlternateMobile: 1e16}}
	first := migrate.EstimateOf(&s, &cloud.Capabilities{Pace: pace}).Requests
	for range 200 {
		if e := migrate.EstimateOf(&s, &cloud.Capabilities{Pace: pace}); e.Requests != first {
			t.Fatalf("%d requests, then %d", first, e.Requests)
		}
	}
}
