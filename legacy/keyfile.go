package legacy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/internal/xmlpull"
	"mfabridge/legacy/pskc"
)

// readKeys reads the key containers (RFC 6030).
func (l *loader) readKeys() error {
	for _, i := range l.folder.of(aboutKeys) {
		p := l.folder.parts[i]
		if !l.folder.certain(p) {
			is, err := l.isContainer(p)
			if err != nil {
				return err
			}
			if !is {
				if err := l.problems.add(Problem{Code: FileNotRead, Place: Place{File: p.name}, Detail: "it is XML, but no container of token keys"}); err != nil {
					return err
				}
				continue
			}
		}
		if err := l.readKeyFile(i); err != nil {
			return err
		}
	}
	return nil
}

// certain tells whether a file says by its name that it holds tokens. Other
// XML may be anything.
func (f *folder) certain(p part) bool {
	return strings.HasSuffix(p.name, ".pskc") || strings.HasPrefix(p.name, "token")
}

// isContainer looks at the root element.
func (l *loader) isContainer(p part) (bool, error) {
	in, err := l.folder.open(l.ctx, p)
	if err != nil {
		return false, err
	}
	defer in.Close()
	t, err := decodeText(in, p.name, l.options.Encoding)
	if err != nil {
		return false, err
	}
	tok, err := xmlpull.NewReader(xmlText(t), xmlpull.Options{}).Next()
	if err != nil {
		if _, bad := errors.AsType[*xmlpull.Error](err); bad || err == io.EOF {
			err = nil
		}
		return false, err
	}
	return tok.Name.Local == "KeyContainer" || tok.Name.Local == "SecretContainer", nil
}

func (l *loader) readKeyFile(i int) error {
	p := l.folder.parts[i]
	in, err := l.folder.open(l.ctx, p)
	if err != nil {
		return err
	}
	defer in.Close()
	t, err := decodeText(in, p.name, l.options.Encoding)
	if err != nil {
		return err
	}
	signed := false
	for k, err := range pskc.Read(xmlText(t), pskc.Options{Key: l.options.PSKCKey, Passphrase: l.options.PSKCPassphrase}) {
		if err != nil {
			return keyFileError(p.name, err)
		}
		if l.rows++; k.Signed && !signed {
			signed = true
			err := l.problems.add(Problem{Code: NotVerified, Place: Place{File: p.name}, Detail: "the file is signed, and its signature is not verified"})
			if err != nil {
				return err
			}
		}
		if err := l.sayDates(p.name, &k); err != nil {
			return err
		}
		a := keyRow(i, &k)
		var name []byte
		if isName(k.UserID) {
			name = []byte(k.UserID)
		}
		if err := l.addAttached(kindToken, a, nil, name); err != nil {
			return err
		}
		clear(a.secret)
		k.Secret.Wipe()
	}
	d, err := in.finish()
	if err != nil {
		return err
	}
	l.summary.Files = append(l.summary.Files, d)
	return l.manifest.check(d)
}

// sayDates reports a key that is valid for a time only.
func (l *loader) sayDates(file string, k *pskc.Key) error {
	var limits []string
	if !k.Start.IsZero() {
		limits = append(limits, "from "+k.Start.UTC().Format(time.DateOnly))
	}
	if !k.Expiry.IsZero() {
		limits = append(limits, "until "+k.Expiry.UTC().Format(time.DateOnly))
	}
	if len(limits) == 0 {
		return nil
	}
	return l.problems.add(Problem{Code: TokenDates, Place: Place{File: file, Line: k.Line}, Field: "Policy",
		Detail: fmt.Sprintf("token %q is valid %s only", cut(k.Serial, maxQuotedSerial), strings.Join(limits, " "))})
}

// maxQuotedSerial is the most of a serial number that a report shows, in bytes.
const maxQuotedSerial = 64

// cut shortens a text to a number of bytes, at a character's end.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func keyFileError(name string, err error) error {
	switch {
	case errors.Is(err, pskc.ErrKeyNeeded):
		return hint.Wrap(fmt.Errorf("%s: %w, and nothing that opens it is given", name, err), "give the key or the pass phrase that came with it, with --pskc-key or --pskc-passphrase")
	case errors.Is(err, pskc.ErrKey):
		return hint.Wrap(fmt.Errorf("%s: %w", name, err), "give the key or the pass phrase that came with this very file")
	}
	return hint.Default(fmt.Errorf("%s cannot be read: %w", name, err), "ask the token's vendor for the file again, or take it out of the export")
}

// isName tells whether a container's user may be a Username or a
// UserPrincipalName: often it is a distinguished name, which nobody here has.
func isName(id string) bool {
	return id != "" && len(id) <= MaxName && !strings.ContainsAny(id, "=,\x00")
}

// seedProblem begins, in place of a secret, the reason why there is none.
const seedProblem = 0

// keyRow makes of a key what a row of tokens is.
func keyRow(part int, k *pskc.Key) *attached {
	a := &attached{part: part, line: k.Line, text: [][]byte{packedSerial: []byte(k.Serial), packedManufacturer: []byte(k.Manufacturer), packedModel: []byte(k.Model)},
		generator: Generator{Interval: k.Interval, Digits: k.Digits, Algorithm: k.Algorithm, Drift: k.Drift}}
	why := k.Problem
	if why == "" && k.HOTP {
		why = "its codes count events (HOTP) and not time"
	}
	switch {
	case why != "":
		a.secret, a.state = append([]byte{seedProblem}, why...), SeedUnusable
	case k.Secret.IsZero():
	default:
		a.secret = base64.StdEncoding.AppendEncode([]byte(FormatBase64+":"), k.Secret.Reveal())
		var key []byte
		key, a.state, _ = decodeSeed(a.secret, "")
		clear(key)
	}
	return a
}

// seedOf is DecodeSeed for what was packed.
func seedOf(text []byte, format string) Seed {
	if why, ok := bytes.CutPrefix(text, []byte{seedProblem}); ok {
		return Seed{State: SeedUnusable, Problem: string(why)}
	}
	return DecodeSeed(text, format)
}
