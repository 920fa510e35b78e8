package dictionary_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mfabridge/internal/peer"
	"mfabridge/shim/dictionary"
)

func TestValuesAreEncoded(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        []byte
	}{
		{"class", "staff", []byte("\x19\x07staff")},
		{"Class", "0x00ff", []byte("\x19\x04\x00\xff")},
		{"Service-Type", "administrative-user", []byte("\x06\x06\x00\x00\x00\x06")},
		{"Session-Timeout", "3600", []byte("\x1b\x06\x00\x00\x0e\x10")},
		{"Framed-IP-Address", "192.0.2.7", []byte("\x08\x06\xc0\x00\x02\x07")},
		{"Tunnel-Type", "VLAN", []byte("\x40\x06\x00\x00\x00\x0d")},
		{"Tunnel-Private-Group-Id", "12", []byte("\x51\x05\x0012")},
		{"Fortinet-Group-Name", "vpn", []byte("\x1a\x0b\x00\x00\x30\x44\x01\x05vpn")},
		{"vendor-12356-1", "vpn", []byte("\x1a\x0b\x00\x00\x30\x44\x01\x05vpn")},
	} {
		a, err := dictionary.Lookup(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Append(nil, c.value); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: got %x, %v, want %x", c.name, got, err, c.want)
		}
	}
}

func TestWhatCannotBeSaidIsRefused(t *testing.T) {
	for _, name := range []string{"", "State", "Reply-Message", "Message-Authenticator", "User-Password", "MS-MPPE-Send-Key", "vendor-0-1",
		"vendor-1-0", "vendor-1-256", "vendor-1-1x", "vendor-01-1", "vendor--1-1", "vendor-99999999-1"} {
		if a, err := dictionary.Lookup(name); err == nil {
			t.Errorf("%q is %+v", name, a)
		}
	}
	for name, value := range map[string]string{"Class": "", "Service-Type": "no-such", "Session-Timeout": "-1", "Framed-IP-Address": "2001:db8::1",
		"Filter-Id": strings.Repeat("x", 254), "Fortinet-Group-Name": strings.Repeat("x", 248), "vendor-1-1": "0x0", "Tunnel-Type": "16777216", "Framed-Pool": "\xff"} {
		a, err := dictionary.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Append(nil, value); err == nil {
			t.Errorf("%s = %q became %x", name, value, got)
		}
	}
}

func TestKeysOfAPacket(t *testing.T) {
	if keys, ok := dictionary.Keys(25, []byte("x")); !ok || len(keys) != 1 || keys[0] != (dictionary.Key{Number: 25}) {
		t.Errorf("Class: %v", keys)
	}
	two := []byte("\x00\x00\x00\x09\x01\x03a\x02\x03b")
	if keys, ok := dictionary.Keys(26, two); !ok || len(keys) != 2 || keys[1] != (dictionary.Key{Vendor: 9, Number: 2}) {
		t.Errorf("two inside: %v, %v", keys, ok)
	}
	for _, bad := range []string{"", "\x00\x00\x00\x09", "\x00\x00\x00\x09\x01", "\x00\x00\x00\x09\x01\x01", "\x00\x00\x00\x09\x01\x04a", "\x01\x00\x00\x09\x01\x03a", "\x00\x00\x00\x09\x01\x03a\x02"} {
		if keys, ok := dictionary.Keys(26, []byte(bad)); ok {
			t.Errorf("%q is %v", bad, keys)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x09\x01\x03a\x02\x03b"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if keys, ok := dictionary.Keys(26, value); ok && len(keys) == 0 {
			t.Errorf("%x is well-formed and empty", value)
		}
	})
}

// Our numbers are those of the dictionaries that FreeRADIUS has.
func TestNumbersAreThoseOfFreeRADIUS(t *testing.T) {
	peer.Path(t, "freeradius", "freeradius")
	all, err := dictionary.All()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, a := range all {
		file, vendor := a.Source, "VENDOR"
		switch {
		case a.Source == "rfc2548":
			file = "microsoft"
		case strings.HasPrefix(a.Source, "fr:"):
			file = a.Source[3:]
		default:
			vendor = "-"
		}
		text, err := os.ReadFile(filepath.Join("/usr/share/freeradius", "dictionary."+file))
		if err != nil {
			t.Error(err)
			continue
		}
		if !regexp.MustCompile(`(?mi)^ATTRIBUTE\s+` + regexp.QuoteMeta(a.Name) + fmt.Sprintf(`\s+%d\s`, a.Number)).Match(text) {
			t.Errorf("%s is not number %d in dictionary.%s", a.Name, a.Number, file)
		}
		if vendor == "VENDOR" && !regexp.MustCompile(fmt.Sprintf(`(?m)^VENDOR\s+\S+\s+%d\s`, a.Vendor)).Match(text) {
			t.Errorf("%s: %d is not the vendor of dictionary.%s", a.Name, a.Vendor, file)
		}
		compared++
	}
	if compared < 40 {
		t.Errorf("only %d were compared", compared)
	}
}
