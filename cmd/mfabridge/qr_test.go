package main

import (
	"bytes"
	"image"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/boombuler/barcode/qr"

	"mfabridge/cloud/engine/http/pages"
)

// undrawn reads the rows of a QR code back from what a terminal shows.
func undrawn(t *testing.T, lines []string) (rows []string) {
	t.Helper()
	for _, line := range lines {
		line, begins := strings.CutPrefix(line, "\x1b[30;107m")
		line, ends := strings.CutSuffix(line, "\x1b[0m")
		if !begins || !ends {
			t.Fatalf("%q is no line of a QR code", line)
		}
		var upper, lower strings.Builder
		for _, r := range line {
			pair, ok := map[rune]string{' ': "00", '▀': "10", '▄': "01", '█': "11"}[r]
			if !ok {
				t.Fatalf("%q", line)
			}
			upper.WriteByte(pair[0])
			lower.WriteByte(pair[1])
		}
		rows = append(rows, upper.String(), lower.String())
	}
	return rows
}

// The helpdesk shows a QR code in its terminal, and the telephone activates with
// it: link and code are in the sealed file alone.
func TestActivationIsHandedOutAsQRCode(t *testing.T) {
	folder := t.TempDir()
	store, out := "sqlite:"+filepath.Join(folder, "cloud.db"), filepath.Join(folder, "code.age")
	must(t, exitDone, "engine", "init", "--store", store)
	must(t, exitDone, "engine", "user", "add", "ada@contoso.example", "--store", store, "--reason", "x")
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"engine", "user", "activation", "ada@contoso.example", "--store", store, "--hand-out", out, "--seal-to", who.Recipient().String(), "--reason", "at the desk"}
	must(t, exitFailed, append(words, "--url", "http://mfa.contoso.example")...)
	if _, err := os.Stat(out); err == nil {
		t.Error("an address in the clear leaves a file")
	}
	r := must(t, exitDone, append(words, "--url", "https://mfa.contoso.example/")...)
	sealed, err := os.ReadFile(out)
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
	m := regexp.MustCompile(`(?s)^user  ada@contoso\.example\ncode  (\S+)\nuntil \S+\nlink  (\S+)\n\n(.*)\n$`).FindStringSubmatch(string(text))
	if m == nil || m[2] != "https://mfa.contoso.example/authenticator#user=ada%40contoso.example&code="+m[1] || strings.Contains(r.out+r.err, m[1]) {
		t.Fatalf("%s\n%s%s", text, r.out, r.err)
	}
	want, err := pages.QR(m[2])
	if err != nil {
		t.Fatal(err)
	}
	rows, size := undrawn(t, strings.Split(m[3], "\n")), len(want)
	for y := range rows {
		row := strings.Repeat("0", size+2*quiet)
		if y >= quiet && y < size+quiet {
			row = "0000" + want[y-quiet] + "0000"
		}
		if rows[y] != row {
			t.Errorf("row %d is %s, and not %s", y, rows[y], row)
		}
	}
	if len(rows) < size+2*quiet {
		t.Errorf("%d rows", len(rows))
	}
}

// What "oath qr" shows are the modules of the code, within its margin.
func TestGeneratorIsShownAsQRCode(t *testing.T) {
	code, err := qr.Encode("otpauth://totp/Contoso:ada?secret=GEZDGNBVGY3TQOJQ", qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	drawQR(&shown, code)
	size := code.Bounds().Dx()
	rows := undrawn(t, strings.Split(strings.TrimSuffix(shown.String(), "\n"), "\n"))
	if len(rows) < size+2*quiet {
		t.Fatalf("%d rows of %d", len(rows), size+2*quiet)
	}
	for y, row := range rows {
		for x := range row {
			want := byte('0')
			if at := (image.Point{X: x - quiet, Y: y - quiet}); at.In(code.Bounds()) {
				if r, _, _, _ := code.At(at.X, at.Y).RGBA(); r == 0 {
					want = '1'
				}
			}
			if row[x] != want {
				t.Fatalf("module %d, %d is %c", x, y, row[x])
			}
		}
	}
}
