package smpp

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

func TestEncode(t *testing.T) {
	cases := []struct {
		name     string
		text     string
		alphabet Alphabet
		coding   byte
		lengths  []int
		begins   string
	}{
		{"plain", "Code 12@", GSM, 0, []int{8}, "Code 12\x00"},
		{"umlauts", "Schlüssel ÄÖß", GSM, 0, []int{13}, "Schl\x7essel \x5b\x5c\x1e"},
		{"extension counts twice", "€[", GSM, 0, []int{4}, "\x1b\x65\x1b\x3c"},
		{"greek capitals are there", "ΔΩ", GSM, 0, []int{2}, "\x10\x15"},
		{"cyrillic is not", "Код", GSM, 8, []int{6}, "\x04\x1a\x04\x3e\x04\x34"},
		{"the escape itself is not", "a\x1bb", GSM, 8, []int{6}, ""},
		{"latin", "Schlüssel", Latin1, 3, []int{9}, "Schl\xfcssel"},
		{"not latin", "€", Latin1, 8, []int{2}, "\x20\xac"},
		{"beyond the plane", "🔑", GSM, 8, []int{4}, "\xd8\x3d\xdd\x11"},
		{"always", "A", UCS2, 8, []int{2}, "\x00A"},
		{"160 fit", strings.Repeat("a", 160), GSM, 0, []int{160}, ""},
		{"140 of latin fit", strings.Repeat("ü", 140), Latin1, 3, []int{140}, ""},
		{"141 do not", strings.Repeat("ü", 141), Latin1, 3, []int{134, 7}, ""},
		{"70 of others fit", strings.Repeat("б", 70), GSM, 8, []int{140}, ""},
		{"71 do not", strings.Repeat("б", 71), GSM, 8, []int{134, 8}, ""},
		{"the last of latin", "ÿ", Latin1, 3, []int{1}, "\xff"},
		{"four are taken", strings.Repeat("a", 4*153), GSM, 0, []int{153, 153, 153, 153}, ""},
		{"161 do not", strings.Repeat("a", 161), GSM, 0, []int{153, 8}, ""},
		{"an escape is not cut", strings.Repeat("a", 152) + "€" + strings.Repeat("b", 20), GSM, 0, []int{152, 22}, ""},
		{"a pair is not cut", strings.Repeat("б", 66) + "🔑" + strings.Repeat("б", 10), GSM, 8, []int{132, 24}, ""},
	}
	for _, c := range cases {
		parts, coding, err := encode(c.text, c.alphabet)
		if err != nil || coding != c.coding || len(parts) != len(c.lengths) {
			t.Errorf("%s: %d parts, coding %d, %v", c.name, len(parts), coding, err)
			continue
		}
		for i, n := range c.lengths {
			if len(parts[i]) != n {
				t.Errorf("%s: part %d has %d octets, not %d", c.name, i, len(parts[i]), n)
			}
		}
		if !strings.HasPrefix(string(parts[0]), c.begins) {
			t.Errorf("%s: % x", c.name, parts[0])
		}
	}
	if _, _, err := encode(strings.Repeat("a", 4*153+1), GSM); err == nil {
		t.Error("five messages are taken")
	}
}

// What is charged for is counted, also where we would not send it.
func TestParts(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{{"", 1}, {strings.Repeat("a", 160), 1}, {strings.Repeat("a", 161), 2}, {strings.Repeat("€", 80), 1}, {strings.Repeat("€", 81), 2}, {strings.Repeat("€", 153), 3},
		{strings.Repeat("б", 70), 1}, {strings.Repeat("б", 71), 2}, {strings.Repeat("🔑", 35), 1}, {strings.Repeat("🔑", 67), 3}, {strings.Repeat("a", 900), 6}} {
		if got := Parts(c.text); got != c.want {
			t.Errorf("%.3s…, %d bytes: %d parts, want %d", c.text, len(c.text), got, c.want)
		}
	}
}

// The table is held against its reading back.
func FuzzEncode(f *testing.F) {
	f.Add("Your code is 123456 €")
	f.Add(strings.Repeat("ü[", 90))
	f.Add("🔑 Код")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range []Alphabet{GSM, Latin1, UCS2} {
			parts, coding, err := encode(text, a)
			if err != nil {
				continue
			}
			for _, p := range parts {
				const most = 254 // of sm_length
				if len(p)+6 > most && len(parts) > 1 || len(p) > most {
					t.Fatalf("a part of %d octets", len(p))
				}
			}
			if got, want := decode(bytes.Join(parts, nil), coding), string([]rune(text)); got != want {
				t.Fatalf("%s: %q became %q", a, want, got)
			}
		}
	})
}

func decode(b []byte, coding byte) string {
	var out []rune
	switch coding {
	case codingLatin1:
		for _, c := range b {
			out = append(out, rune(c))
		}
	case codingUCS2:
		var units []uint16
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		out = utf16.Decode(units)
	default:
		extension := []rune(gsmExtension)
		for i := 0; i < len(b); i++ {
			if b[i] != gsmEscape {
				out = append(out, gsmBasic[b[i]])
				continue
			}
			i++
			for j := 1; j < len(extension); j += 2 {
				if extension[j] == rune(b[i]) {
					out = append(out, extension[j-1])
				}
			}
		}
	}
	return string(out)
}

func FuzzReceipt(f *testing.F) {
	f.Add([]byte("\x00\x01\x011425\x00\x05\x00C\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x14id:m1 stat:DELIVRD  \x00\x1e\x00\x03m1\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		r, found, err := parseReceipt(body)
		if found && (r.ID == "" || r.Status == "" || len(r.ID) > maxMessageID+1 || err != nil) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func FuzzReadPDU(f *testing.F) {
	f.Add(pdu{command: deliverSM, sequence: 1, body: []byte("abc")}.append(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := readPDU(bytes.NewReader(raw))
		if err != nil {
			return
		}
		if again := p.append(nil); !bytes.Equal(again, raw[:len(again)]) {
			t.Fatalf("% x became % x", raw, again)
		}
	})
}

func TestReadPDURefusesLengths(t *testing.T) {
	for _, length := range []byte{0, 15} {
		if _, err := readPDU(bytes.NewReader([]byte{0, 0, 0, length, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1})); err != errLength {
			t.Errorf("a length of %d is taken", length)
		}
	}
	if _, err := readPDU(bytes.NewReader([]byte{0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1})); err != errLength {
		t.Error("a length of 65536 is taken")
	}
}

func TestRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "", 5 * time.Minute: "000000000500000R", 90 * time.Second: "000000000130000R", 2*time.Hour + 61*time.Minute: "000000030100000R", 48 * time.Hour: "000000235959000R"} {
		if got := relative(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

// Who a text is from goes as its kind of address, or the network refuses it.
func TestSource(t *testing.T) {
	for source, want := range map[string]address{
		"":                 {tonUnknown, npiUnknown, ""},
		"+14255550142":     {tonInternational, npiISDN, "14255550142"},
		"+123456789012345": {tonInternational, npiISDN, "123456789012345"},
		"+12345":           {tonInternational, npiISDN, "12345"},
		"12345":            {tonUnknown, npiISDN, "12345"},
		"123456789012345":  {tonUnknown, npiISDN, "123456789012345"},
		"Contoso":          {tonAlphanumeric, npiUnknown, "Contoso"},
		"AZ az-09.Co":      {tonAlphanumeric, npiUnknown, "AZ az-09.Co"},
	} {
		if got, err := parseSource(source); got != want || err != nil {
			t.Errorf("%q: %+v, %v", source, got, err)
		}
	}
	for _, source := range []string{"+1234", "+1234567890123456", "+1425555O142", "1234567890123456", "Contoso Ltd.", "A<b>", "A/b", "A:b", "A@b", "A[b", "A`b", "A{b", "Bücher", "+Contoso"} {
		if got, err := parseSource(source); err == nil {
			t.Errorf("%q: %+v", source, got)
		}
	}
}
