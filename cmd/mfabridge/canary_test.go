package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/fixtures"
)

// canaries are the planted secrets in every form in which they could leak.
func canaries(t *testing.T) map[string]string {
	t.Helper()
	forms := map[string]string{"the PIN": fixtures.CanaryPIN, "a shared secret": fixtures.CanarySharedSecret}
	for name, h := range map[string]string{"Ada's seed": fixtures.CanaryTokenHex, "Grace's seed": fixtures.CanaryDeviceHex} {
		raw, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		forms[name+", raw"] = string(raw)
		forms[name+", hex"] = h
		forms[name+", Base64"] = strings.TrimRight(base64.StdEncoding.EncodeToString(raw), "=")
	}
	forms["Ada's seed, Base32"] = fixtures.CanaryTokenBase32
	forms["Grace's seed, Base32"] = fixtures.CanaryDeviceBase32
	return forms
}

// search looks for the canaries in a text, whatever its case and spacing.
func search(t *testing.T, where string, text []byte) {
	t.Helper()
	folded := strings.ToLower(string(text))
	unspaced := strings.ReplaceAll(folded, " ", "")
	for name, form := range canaries(t) {
		form = strings.ToLower(form)
		if strings.Contains(folded, form) || strings.Contains(unspaced, form) {
			t.Errorf("%s is in %s", name, where)
		}
	}
}

// The search itself must be able to find something.
func TestCanaryIsInTheExport(t *testing.T) {
	text, err := fs.ReadFile(fixtures.ContosoSecrets(), "tokens.csv")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.ToUpper(strings.ReplaceAll(string(text), " ", "")), fixtures.CanaryTokenBase32) {
		t.Fatal("the canary has been moved; this test would find nothing")
	}
}

func TestNoSecretIsSeenAgain(t *testing.T) {
	s := planned(t)
	s.write(t, "password", "a password of this test")
	var printed bytes.Buffer
	for _, args := range [][]string{
		{"inspect", s.path("contoso")},
		{"inspect", s.path("contoso"), "--format", "json"},
		{"inspect", s.path("contoso"), "--map", "Pin=Username"},
		{"inspect", s.path("contoso"), "--secret-format", "hex"},
		{"plan", s.path("contoso"), "--to", s.store, "-o", s.path("other.plan")},
		{"show", s.plan}, {"show", s.plan, "--format", "json"},
		{"show", s.plan, "--reveal"}, {"show", s.plan, "--reveal", "--format", "json"},
		{"apply", s.plan, "--format", "json"}, {"apply", s.plan},
		{"check", s.plan, "--combined"}, {"check", s.plan, "--format", "json", "--all"},
		{"plan", s.path("contoso"), "--to", s.store, "-o", s.path("again.plan"), "--create-users"},
		{"engine", "user", "list", "--store", s.store}, {"engine", "user", "list", "--store", s.store, "--format", "json"},
		{"engine", "user", "show", fixtures.Ada, "--store", s.store},
		{"engine", "user", "password", fixtures.Ada, "--store", s.store, "--password", "file:" + s.path("password"), "--reason", "test"},
		{"apply", s.plan, "--expect", "not the digest"},
		{"oath", "code", "--secret", fixtures.CanaryTokenBase32},
	} {
		r := mfabridge(t, args...)
		printed.WriteString(r.out + r.err)
	}
	if printed.Len() < 10_000 {
		t.Fatalf("the commands printed only %d bytes:\n%s", printed.Len(), printed.String())
	}
	search(t, "what the commands print", printed.Bytes())
	err := filepath.WalkDir(s.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == "contoso" {
				return fs.SkipDir
			}
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		search(t, d.Name(), text)
		if strings.HasPrefix(d.Name(), "move.plan") && bytes.Contains(text, []byte("2079460103")) {
			t.Errorf("a telephone number is in clear in %s", d.Name())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
