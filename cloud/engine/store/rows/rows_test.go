package rows_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/cloud/engine/tries"
)

// given is a row of values as they are written.
type given struct {
	values []any
	at     int
}

func (g *given) next() any     { g.at++; return g.values[g.at-1] }
func (g *given) Text() string  { s, _ := g.next().(string); return s }
func (g *given) Number() int64 { n, _ := g.next().(int64); return n }
func (g *given) Bytes() []byte { b, _ := g.next().([]byte); return b }

// skip leaves out what is not in the row that a type is read from.
func (g *given) skip(n int) *given { g.at += n; return g }

// kept is a type with its columns as they are written.
type kept struct {
	columns string
	sample  any // a pointer
	absent  []string
	values  func() []any
	read    func(*given) any
}

func all() map[string]kept {
	user, token, challenge, attempt, entry := &engine.User{}, &engine.Token{}, &engine.Challenge{}, &engine.Attempt{}, &audit.Entry{}
	app, device, group, slip, flight := &engine.App{}, &engine.Device{}, &engine.Group{}, &engine.Slip{}, &engine.Flight{}
	counter, failures := &tries.Counter{User: "User", Way: "Way", Place: "Place"}, &tries.Failures{}
	return map[string]kept{
		"users": {rows.UserColumns, user, strings.Fields("Privileged GlobalAdmin SMSSignIn NumberSignIn EmailConfirmed OATH Authenticators Forbidden ForbiddenWays"),
			func() []any { return rows.UserValues(nil, user) }, func(g *given) any { return rows.User(g) }},
		"tokens": {"user, " + rows.TokenColumns, token, []string{"Inactive", "OATHEntry.OATH.Drift", "Secret"},
			func() []any { return rows.TokenValues(nil, token) }, func(g *given) any { k := rows.Token(g.skip(1), token.User); return &k }},
		"challenges": {"user, " + rows.ChallengeColumns, challenge, nil,
			func() []any { return rows.ChallengeValues(nil, challenge) }, func(g *given) any { return rows.Challenge(g) }},
		"attempts": {rows.AttemptKeys + ", " + rows.AttemptColumns, attempt, nil,
			func() []any { return rows.AttemptValues(nil, attempt) }, func(g *given) any { return rows.Attempt(g.skip(2), attempt.Challenge, attempt.Key) }},
		"failures": {"user, " + rows.FailuresKeys + ", " + rows.FailuresColumns, failures, nil,
			func() []any { return rows.FailuresValues(nil, *counter, *failures) }, func(g *given) any { f := rows.Failures(g.skip(3)); return &f }},
		"audit": {rows.EntryColumns, entry, []string{"Key"},
			func() []any { return rows.EntryValues(nil, entry) }, func(g *given) any { e := rows.Entry(g); return &e }},
		"apps": {rows.AppColumns, app, nil,
			func() []any { return rows.AppValues(nil, app) }, func(g *given) any { a := rows.App(g); return &a }},
		"devices": {"user, " + rows.DeviceColumns, device, nil,
			func() []any { return rows.DeviceValues(nil, device) }, func(g *given) any { d := rows.Device(g.skip(1), device.User); return &d }},
		"groups": {rows.GroupColumns, group, nil,
			func() []any { return rows.GroupValues(nil, group) }, func(g *given) any { k := rows.Group(g); return &k }},
		"slips": {"user, " + rows.SlipColumns, slip, nil,
			func() []any { return rows.SlipValues(nil, slip) }, func(g *given) any { s := rows.Slip(g); return &s }},
		"flights": {"user, " + rows.FlightColumns, flight, nil,
			func() []any { return rows.FlightValues(nil, flight) }, func(g *given) any { return rows.Flight(g) }},
	}
}

// fill gives every field a value of its own, those aside that are named: text
// and bytes say the field's name, numbers and times count.
func fill(t *testing.T, v reflect.Value, path string, absent []string, count *int) {
	t.Helper()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if slices.Contains(absent, name) || slices.Contains(absent, path+name) {
			continue
		}
		*count++
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(time.Unix(int64(*count), 0).UTC()))
			continue
		case []byte:
			f.SetBytes([]byte(name))
			continue
		case []string:
			f.Set(reflect.ValueOf([]string{name, "more"}))
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(name)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(*count))
		case reflect.Struct:
			fill(t, f, path+name+".", absent, count)
		default:
			t.Fatalf("%s%s: no sample of %s", path, name, f.Type())
		}
	}
}

// Whatever field the engine adds to one of its types is written and read, or
// stands here as one that is not kept.
func TestEveryFieldIsKept(t *testing.T) {
	for table, k := range all() {
		count := 0
		fill(t, reflect.ValueOf(k.sample).Elem(), "", k.absent, &count)
		values := k.values()
		if columns := strings.Split(k.columns, ", "); len(columns) != len(values) {
			t.Errorf("%s: %d values for %d columns", table, len(values), len(columns))
			continue
		}
		g := &given{values: values}
		if diff := cmp.Diff(k.sample, k.read(g)); diff != "" {
			t.Errorf("%s:\n%s", table, diff)
		}
		if g.at != len(values) {
			t.Errorf("%s: %d of %d values are read", table, g.at, len(values))
		}
	}
}

// Stores that exist have their values in columns of these names.
func TestValuesStandInTheirColumns(t *testing.T) {
	for table, k := range all() {
		count := 0
		fill(t, reflect.ValueOf(k.sample).Elem(), "", k.absent, &count)
		var got strings.Builder
		for i, v := range k.values() {
			switch b := v.(type) {
			case []byte:
				v = string(b)
			case int64:
				if b >= int64(time.Second) {
					v = time.Duration(b)
				}
			}
			fmt.Fprintf(&got, "%s=%v ", strings.Split(k.columns, ", ")[i], v)
		}
		if got := strings.Join(strings.Fields(got.String()), " "); got != places[table] {
			t.Errorf("%s:\ngot  %s\nwant %s", table, got, places[table])
		}
	}
}

// places are the columns of each table with what fill has put there.
var places = map[string]string{
	"users": "id=ID upn=UPN display_name=DisplayName aliases=Aliases more sid=SID enabled=1 mobile=Mobile alternate=Alternate office=Office email=Email " +
		"preference=Default blocked_until=16s password=Password created=18s class=3 roles=Roles more devices=20 aside=Aside email_proof=Proof",
	"tokens": "user=User id=ID method=Method name=Name serial=Serial manufacturer=Manufacturer model=Model algorithm=Algorithm digits=11 period=12 " +
		"fingerprint=Fingerprint sealed=Sealed proven=1 drift=17 last_step=18 seen_step=19",
	"challenges": "user=User id=ID request_key=Key method=Method state=State reason=Reason prompt=Prompt app=Owner\x1fApp place=Place tries=11 " +
		"sent=Sent context=Context created=14s expires=15s decided=16s flags=3",
	"attempts": "challenge=Challenge answer_key=Key state=State reason=Reason tries=5 at=6s",
	"failures": "user=User way=Way place=Place count=1 last=2s",
	"audit":    "seq=1 time=2s node=Node actor=Actor action=Action subject=Subject detail=Detail reason=Reason number=9 link=Link",
	"apps":     "name=Name role=Role digest=Digest created=4s until=5s disabled=1",
	"devices":  "user=User id=ID name=Name state=State until=5s created=6s public_key=Key opened=7s aside=Aside",
	"groups":   "id=ID name=Name created=3s",
	"slips":    "user=User id=ID data=Data until=4s",
	"flights":  "user=User id=ID due=3s state=State",
}

// What is not there is empty where the column cannot be NULL, and else NULL.
func TestNothing(t *testing.T) {
	null := map[string]string{"users": "password aside email_proof", "challenges": "request_key sent context"}
	for table, k := range all() {
		for i, v := range k.values() {
			column := strings.Split(k.columns, ", ")[i]
			b, isBytes := v.([]byte)
			if is, want := v == nil || isBytes && b == nil, slices.Contains(strings.Fields(null[table]), column); is != want {
				t.Errorf("%s.%s of nothing: NULL %v, want %v", table, column, is, want)
			}
		}
	}
}

// Two facts in one column do not become each other.
func TestWhatSharesAColumnIsToldApart(t *testing.T) {
	for _, want := range []engine.Challenge{{Proven: true}, {Bypassed: true}, {App: "vpn"}, {Owner: "gateway"}, {Owner: "gateway", App: "vpn"}} {
		if diff := cmp.Diff(&want, rows.Challenge(&given{values: rows.ChallengeValues(nil, &want)})); diff != "" {
			t.Error(diff)
		}
	}
	for _, of := range []cloud.User{{Guest: true}, {External: true}} {
		want := engine.User{User: of}
		if diff := cmp.Diff(&want, rows.User(&given{values: rows.UserValues(nil, &want)})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPut(t *testing.T) {
	const want = "INSERT INTO t (a, b, aa) VALUES ($1, $2, $3) ON CONFLICT (a, b) DO UPDATE SET aa = excluded.aa"
	if got := rows.Put("t", "a, b", "a, b, aa"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
