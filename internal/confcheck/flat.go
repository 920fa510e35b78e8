package confcheck

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"

	"mfabridge/internal/secret"
)

// PEM is what a file of certificates holds.
type PEM []byte

// Hidden ends the keys of what is compared but never shown.
const Hidden = "\x00"

// Flat is all that a configuration says, by its place: {"ops": "127.0.0.1:9812"}.
// Lists of things that have a name go by that. Of what the files hold that keys
// name, fields of [secret.Bytes] and [PEM] with a tag says:"KEY", it has a digest,
// at that key with [Hidden] behind it.
func Flat(configuration any) map[string]string {
	out := make(map[string]string)
	flatten("", reflect.ValueOf(configuration), out)
	return out
}

func flatten(at string, v reflect.Value, out map[string]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			flatten(at, v.Elem(), out)
		}
	case reflect.Struct:
		flattenStruct(at, v, out)
	case reflect.Map:
		for _, k := range v.MapKeys() {
			flatten(below(at, k.String()), v.MapIndex(k), out)
		}
	case reflect.Slice:
		flattenList(at, v, out)
	default:
		if !v.IsZero() {
			out[at] = fmt.Sprint(v.Interface())
		}
	}
}

func flattenStruct(at string, v reflect.Value, out map[string]string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		place := below(at, field.Tag.Get("says")) // of what a key's file holds
		switch held := v.Field(i).Interface().(type) {
		case secret.Bytes:
			if !held.IsZero() {
				out[place+Hidden] = digest(held.Reveal())
			}
		case []secret.Bytes:
			for i, one := range held {
				out[fmt.Sprint(place, ".", i, Hidden)] = digest(one.Reveal())
			}
		case PEM:
			out[place+Hidden] = digest(held)
		default:
			if key != "-" && key != "" {
				flatten(below(at, key), v.Field(i), out)
			}
		}
	}
}

func flattenList(at string, v reflect.Value, out map[string]string) {
	switch {
	case v.Len() == 0:
	case v.Type().Elem().Kind() != reflect.Struct:
		out[at] = fmt.Sprint(v.Interface())
	default:
		for i := range v.Len() {
			name := fmt.Sprint(i)
			if f := v.Index(i).FieldByName("Name"); f.IsValid() {
				name = f.String()
			}
			flatten(below(at, name), v.Index(i), out)
		}
	}
}

// below is a place below another one, of which the whole has none.
func below(at, key string) string { return strings.TrimPrefix(at+"."+key, ".") }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return string(sum[:])
}
