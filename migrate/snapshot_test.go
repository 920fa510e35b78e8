package migrate

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// fill sets every field that there is, so that a field which is added to the
// domain and forgotten in snapshot.go is found.
func fill(v reflect.Value, rng *rand.Rand) {
	switch v.Interface().(type) {
	case secret.Bytes:
		return // a target never returns secrets
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(rng.Int64N(4e9), rng.Int64N(1e9)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), rng)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), rng)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+rng.IntN(3), 4))
		for i := range v.Len() {
			fill(v.Index(i), rng)
		}
	case reflect.String:
		v.SetString(string(rune('a'+rng.IntN(26))) + "é")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(rng.Int64N(200) - 100)
	default:
		panic("fill does not know " + v.Kind().String())
	}
}

func TestSnapshotKeepsEveryField(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var m Match
		fill(reflect.ValueOf(&m).Elem(), rng)
		got, err := readMatch(appendMatch(nil, &m))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got, cmp.Comparer(func(a, b secret.Bytes) bool { return a.Equal(b) })); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	for _, m := range []Match{{}, {User: &cloud.User{}}} {
		if got, err := readMatch(appendMatch(nil, &m)); err != nil || !cmp.Equal(m, got, cmp.AllowUnexported(secret.Bytes{})) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func FuzzReadMatch(f *testing.F) {
	var m Match
	fill(reflect.ValueOf(&m).Elem(), rand.New(rand.NewPCG(1, 2)))
	f.Add(appendMatch(nil, &m))
	f.Add(appendMatch(nil, &Match{Create: true, UPN: "a@b"}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMatch(b)
		if err != nil {
			return
		}
		again, err := readMatch(appendMatch(nil, &m))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("a record that can be read cannot be written: %v", err)
		}
	})
}
