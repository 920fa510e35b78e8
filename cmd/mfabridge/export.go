package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

// exportFlags say how an export is to be read.
func exportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "map", Usage: "read column `THEIRS=OURS` of the export"},
		&cli.StringFlag{Name: "encoding", Usage: "`ENCODING` of tables without a byte order mark: utf-8, utf-16 or windows-1252 (default: utf-8)"},
		&cli.StringFlag{Name: "secret-format", Usage: "`FORMAT` of the export's secrets: base32, hex or base64"},
		&cli.StringFlag{Name: "identity", Usage: "age identity that opens a .zip.age: `file:PATH` or env:NAME"},
		&cli.StringFlag{Name: "passphrase", Usage: "passphrase that opens a .zip.age: `file:PATH` or env:NAME"},
		&cli.StringFlag{Name: "pskc-key", Usage: "pre-shared key of PSKC files, in hexadecimal: `file:PATH` or env:NAME"},
		&cli.StringFlag{Name: "pskc-passphrase", Usage: "passphrase of PSKC files: `file:PATH` or env:NAME"},
	}
}

// openExport opens an export as the options say.
func (p *program) openExport(c *cli.Context, path string) (*legacy.Export, error) {
	opt, err := exportOptions(c)
	if err != nil {
		return nil, err
	}
	bar := p.progress("reading "+filepath.Base(path), 0)
	defer bar.end()
	opt.Progress = func(rows int64) { bar.at(rows, 0) }
	return legacy.Open(c.Context, path, opt)
}

func exportOptions(c *cli.Context) (opt legacy.Options, err error) {
	if opt.Map, err = columns(c.StringSlice("map")); err != nil {
		return opt, err
	}
	opt.SecretFormat, opt.Encoding = c.String("secret-format"), c.String("encoding")
	for _, choice := range []struct{ option, value, allowed string }{
		{"secret-format", opt.SecretFormat, "base32, hex or base64"},
		{"encoding", opt.Encoding, "utf-8, utf-16 or windows-1252"},
	} {
		words := strings.FieldsFunc(choice.allowed, func(r rune) bool { return r == ',' || r == ' ' })
		if choice.value != "" && (choice.value == "or" || !slices.Contains(words, choice.value)) {
			return opt, usage(fmt.Sprintf("--%s cannot be %q", choice.option, choice.value), "use "+choice.allowed)
		}
	}
	if opt.Identities, err = identities("identity", c.String("identity")); err != nil {
		return opt, err
	}
	for option, into := range map[string]*secret.Bytes{"passphrase": &opt.Passphrase, "pskc-passphrase": &opt.PSKCPassphrase} {
		if ref := c.String(option); ref != "" {
			if *into, err = secret.Load(ref); err != nil {
				return opt, fmt.Errorf("--%s: %w", option, err)
			}
		}
	}
	opt.PSKCKey, err = hexKey(c.String("pskc-key"))
	return opt, err
}

// columns reads the pairs of --map.
func columns(pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range pairs {
		theirs, ours, ok := strings.Cut(pair, "=")
		if !ok || theirs == "" || ours == "" {
			return nil, usage(fmt.Sprintf("--map %q is not THEIRS=OURS", pair), "e.g. --map Mail=EmailAddress")
		}
		out[theirs] = ours
	}
	return out, nil
}

// identities reads an age identity file (AGE-SECRET-KEY-1…).
func identities(option, ref string) ([]age.Identity, error) {
	if ref == "" {
		return nil, nil
	}
	text, err := secret.Load(ref)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", option, err)
	}
	found, err := age.ParseIdentities(bytes.NewReader(text.Reveal()))
	if err != nil { // age's own message would quote a line of the file
		return nil, hint.New("--"+option+" does not hold an age identity", "age-keygen makes one; it begins with AGE-SECRET-KEY-1")
	}
	return found, nil
}

// hexKey reads the pre-shared key of PSKC files.
func hexKey(ref string) (secret.Bytes, error) {
	if ref == "" {
		return secret.Bytes{}, nil
	}
	text, err := secret.Load(ref)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("--pskc-key: %w", err)
	}
	seed := legacy.DecodeSeed(text.Reveal(), legacy.FormatHex)
	if seed.State != legacy.SeedOK {
		return secret.Bytes{}, hint.New("--pskc-key is not a key in hexadecimal", "an AES key has 32, 48 or 64 digits")
	}
	return seed.Key, nil
}
