package config

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"mfabridge/internal/secret"
)

// Diff says in one line each what is different in a newer configuration, for
// the log: "radius.clients.vpn.on_outage: silent -> reject". Of a secret it
// says only that it changed, also where the file that it comes from kept its
// name.
func Diff(before, after *Config) []string {
	old, now := before.flat(), after.flat()
	all := maps.Clone(old)
	maps.Copy(all, now)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, had := old[key]
		is, has := now[key]
		switch {
		case had && has && was == is:
		case strings.HasSuffix(key, hiddenMark):
			if had && has {
				lines = append(lines, strings.TrimSuffix(key, hiddenMark)+heldElse)
			}
		case !had:
			lines = append(lines, fmt.Sprintf("%s: %s (new)", key, is))
		case !has:
			lines = append(lines, fmt.Sprintf("%s: %s (gone)", key, was))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s -> %s", key, was, is))
		}
	}
	return lines
}

// SamePrimary tells whether a primary means the same in both configurations,
// so that what it remembers (who is away, who mistyped a password) may stay.
func SamePrimary(before, after *Config, name string) bool {
	a, b := before.Primaries[name], after.Primaries[name]
	if a == nil || b == nil || a.WantGroups != b.WantGroups {
		return false
	}
	one, other := make(map[string]string), make(map[string]string)
	for _, side := range []struct {
		p   *Primary
		u   Usernames
		out map[string]string
	}{{a, before.Usernames, one}, {b, after.Usernames, other}} {
		flatten("primary", reflect.ValueOf(side.p), side.out)
		flatten("usernames", reflect.ValueOf(side.u), side.out)
	}
	return maps.Equal(one, other)
}

// heldElse is said of a file, or a variable, that kept its name.
const heldElse = ": what it holds has changed"

// hiddenMark ends the keys of what is compared but never shown.
const hiddenMark = "\x00"

func (c *Config) flat() map[string]string {
	out := make(map[string]string)
	flatten("", reflect.ValueOf(c).Elem(), out)
	for i, key := range c.Keys {
		out[fmt.Sprintf("cluster_keys.%d%s", i, hiddenMark)] = digest(key.Reveal())
	}
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// flatten writes all that the file may say into out, by its place. Lists of
// things that have a name go by that.
func flatten(at string, v reflect.Value, out map[string]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			flatten(at, v.Elem(), out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			place := at + "." + field.Tag.Get("says") + hiddenMark // of what a key's file holds
			switch held := v.Field(i).Interface().(type) {
			case secret.Bytes:
				if !held.IsZero() {
					out[place] = digest(held.Reveal())
				}
			case PEM:
				out[place] = digest(held)
			default:
				if key != "-" && key != "" {
					flatten(strings.TrimPrefix(at+"."+key, "."), v.Field(i), out)
				}
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			flatten(at+"."+k.String(), v.MapIndex(k), out)
		}
	case reflect.Slice:
		flattenList(at, v, out)
	default:
		if !v.IsZero() {
			out[at] = fmt.Sprint(v.Interface())
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
			flatten(at+"."+name, v.Index(i), out)
		}
	}
}

// NeedsRestart names what is different and cannot be changed while the shim
// runs, e.g. "engine.url" or, of a file that kept its name, "what engine.ca
// holds"; empty: everything can.
func NeedsRestart(before, after *Config) []string {
	var keys []string
	for _, line := range Diff(before, after) {
		key, _, _ := strings.Cut(line, ":")
		for _, fixed := range []string{"engine", "data"} {
			if key != fixed && !strings.HasPrefix(key, fixed+".") {
				continue
			}
			if strings.HasSuffix(line, heldElse) {
				key = "what " + key + " holds"
			}
			keys = append(keys, key)
			break
		}
	}
	return keys
}
