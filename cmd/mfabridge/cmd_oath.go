package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/oath"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

func (p *program) oathCommand() *cli.Command {
	return &cli.Command{
		Name:  "oath",
		Usage: "generate and check one-time codes (RFC 4226, RFC 6238)",
		Subcommands: []*cli.Command{
			{Name: "code", Usage: "print the code of now, or of --time or --counter", Flags: oathFlags(), Action: p.oathCode},
			{Name: "verify", Usage: "tell whether CODE is right, and how far off its clock is", ArgsUsage: "CODE",
				Flags: append(oathFlags(), &cli.IntFlag{Name: "window", Value: 1,
					Usage: "steps to try on either side"}), Action: p.oathVerify},
			{Name: "uri", Usage: "print the otpauth:// link of a secret; it holds the secret", Flags: labelFlags(), Action: p.oathURI},
			{Name: "qr", Usage: "draw the link as a QR code, on the terminal or as a PNG", Flags: append(labelFlags(),
				&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write a PNG to `FILE` (mode 0600)"}), Action: p.oathQR},
		},
	}
}

func oathFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "secret", Usage: "where the secret is: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"},
		&cli.StringFlag{Name: "secret-format", Usage: "`FORMAT` of the secret: base32, hex or base64 (default: base32, or by prefix hex: or base64:)"},
		&cli.StringFlag{Name: "algorithm", Value: "SHA1", Usage: "SHA1, SHA256 or SHA512"},
		&cli.IntFlag{Name: "digits", Value: 6, Usage: "6 or 8"},
		&cli.IntFlag{Name: "period", Value: 30, Usage: "`SECONDS` of a time step"},
		&cli.StringFlag{Name: "time", Usage: "`TIME` to compute for, RFC 3339 (default: now)"},
		&cli.Uint64Flag{Name: "counter", DefaultText: "none, by time", Usage: "use this counter `N` (HOTP) and no time"},
	}
}

func labelFlags() []cli.Flag {
	return append(oathFlags(),
		&cli.StringFlag{Name: "account", Usage: "`NAME` of the account, e.g. a user principal name"},
		&cli.StringFlag{Name: "issuer", Usage: "`NAME` of the organisation"})
}

// generator is a secret with everything that a code of it depends on.
type generator struct {
	cloud.OATH
	counter   uint64 // the counter, or the time step of --time
	byCounter bool
}

func (p *program) generator(c *cli.Context) (generator, error) {
	algorithm := cloud.Algorithm(strings.ToUpper(strings.ReplaceAll(c.String("algorithm"), "-", "")))
	if algorithm != cloud.SHA1 && algorithm != cloud.SHA256 && algorithm != cloud.SHA512 {
		return generator{}, usage(fmt.Sprintf("--algorithm %q is not known", c.String("algorithm")), "use SHA1, SHA256 or SHA512")
	}
	g := generator{OATH: cloud.OATH{Algorithm: algorithm, Digits: c.Int("digits"), Period: c.Int("period")}}
	if g.Digits != 6 && g.Digits != 8 {
		return generator{}, usage(fmt.Sprintf("--digits %d is not possible", g.Digits), "use 6 or 8")
	}
	if g.Period <= 0 {
		return generator{}, usage("--period must be at least 1 second", "most tokens use 30")
	}
	if g.byCounter = c.IsSet("counter"); g.byCounter {
		g.counter = c.Uint64("counter")
	} else {
		at := p.now()
		if text := c.String("time"); text != "" {
			var err error
			if at, err = time.Parse(time.RFC3339, text); err != nil || at.Unix() < 0 {
				return generator{}, usage(fmt.Sprintf("--time %q is not a time", text), "write it as 2026-11-22T10:00:00Z")
			}
		}
		g.counter = uint64(at.Unix()) / uint64(g.Period)
	}
	key, err := p.seed(c.Context, c.String("secret"), c.String("secret-format"))
	g.Secret = key
	return g, err
}

// seed reads a secret from a file, the environment, standard input or a
// prompt and decodes it.
func (p *program) seed(ctx context.Context, ref, format string) (secret.Bytes, error) {
	text, err := p.secretText(ctx, "Secret: ", ref)
	if err != nil {
		return secret.Bytes{}, err
	}
	seed := legacy.DecodeSeed(bytes.TrimSpace(text.Reveal()), format)
	if seed.State != legacy.SeedOK {
		if seed.Problem == "" {
			return secret.Bytes{}, hint.New("the secret is empty", "say where it is with --secret file:PATH or env:NAME, or give it on the standard input")
		}
		return secret.Bytes{}, hint.New("the secret cannot be used: "+seed.Problem, "say what it is with --secret-format base32, hex or base64, or with a prefix: base64:…")
	}
	return seed.Key, nil
}

// code computes the code of a counter or time step.
func (g generator) code(counter uint64) (string, error) {
	shows, err := oath.New(g.Secret.Reveal(), &g.OATH)
	if err != nil {
		return "", err
	}
	return shows.Code(int64(counter))
}

func (p *program) oathCode(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	g, err := p.generator(c)
	if err != nil {
		return err
	}
	code, err := g.code(g.counter)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, code)
	return nil
}

func (p *program) oathVerify(c *cli.Context) error {
	given, err := args(c, "CODE")
	if err != nil {
		return err
	}
	window := c.Int("window")
	if window < 0 || window > 1000 {
		return usage("--window must be between 0 and 1000", "1 allows for a clock that is one step off")
	}
	g, err := p.generator(c)
	if err != nil {
		return err
	}
	for distance := 0; distance <= window; distance++ {
		for _, offset := range []int{distance, -distance} {
			counter := int64(g.counter) + int64(offset)
			if counter < 0 {
				continue
			}
			code, err := g.code(uint64(counter))
			if err != nil {
				return err
			}
			if subtle.ConstantTimeCompare([]byte(code), []byte(given[0])) == 1 {
				fmt.Fprintf(p.out, "right, at %+d steps\n", offset)
				return nil
			}
		}
	}
	fmt.Fprintln(p.out, "wrong")
	return &exit{code: exitFailed}
}

// uri builds an otpauth:// link as authenticator apps read it.
func (g generator) uri(account, issuer string) string {
	kind, query := "totp", url.Values{}
	query.Set("secret", base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(g.Secret.Reveal()))
	query.Set("algorithm", string(g.Algorithm))
	query.Set("digits", strconv.Itoa(g.Digits))
	if g.byCounter {
		kind = "hotp"
		query.Set("counter", strconv.FormatUint(g.counter, 10))
	} else {
		query.Set("period", strconv.Itoa(g.Period))
	}
	label := account
	if issuer != "" {
		label = issuer + ":" + account
		query.Set("issuer", issuer)
	}
	link := url.URL{Scheme: "otpauth", Host: kind, Path: "/" + label,
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20")} // apps take a plus literally
	return link.String()
}

// labelled takes no arguments, and wants to know whose link it is.
func labelled(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	if c.String("account") == "" {
		return usage("--account is missing", "name the account as the app is to show it, e.g. --account ada@contoso.example")
	}
	return nil
}

func (p *program) oathURI(c *cli.Context) error {
	if err := labelled(c); err != nil {
		return err
	}
	g, err := p.generator(c)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, g.uri(c.String("account"), c.String("issuer")))
	return nil
}

func (p *program) oathQR(c *cli.Context) error {
	if err := labelled(c); err != nil {
		return err
	}
	g, err := p.generator(c)
	if err != nil {
		return err
	}
	code, err := qr.Encode(g.uri(c.String("account"), c.String("issuer")), qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("the link does not fit into a QR code: %w", err)
	}
	if path := c.String("out"); path != "" {
		return writeQR(path, code)
	}
	drawQR(p.out, code)
	return nil
}

// drawQR shows a QR code in a terminal.
func drawQR(w io.Writer, code barcode.Barcode) {
	fmt.Fprint(w, drawn(code.Bounds().Dx(), func(x, y int) bool {
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}))
}

func writeQR(path string, code barcode.Barcode) error {
	scaled, err := barcode.Scale(code, code.Bounds().Dx()*8, code.Bounds().Dy()*8)
	if err != nil {
		return err
	}
	return writePart(path, func(w io.Writer) error { return png.Encode(w, scaled) })
}
