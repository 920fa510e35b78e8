package main

import (
	"strings"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/internal/secret"
)

// quiet is the margin of a QR code, in modules (ISO/IEC 18004 §6.3.8).
const quiet = 4

// activationLink is the address that activates with a code, and its QR code;
// nothing without the address of the pages.
func activationLink(public string, made engine.Activation) (secret.Bytes, error) {
	if public == "" {
		return secret.Bytes{}, nil
	}
	link := pages.Activation(public, made.User, string(made.Code.Reveal()))
	rows, err := pages.QR(link)
	if err != nil {
		return secret.Bytes{}, err
	}
	code := drawn(len(rows), func(x, y int) bool { return rows[y][x] == '1' })
	return secret.FromString("link  " + link + "\n\n" + code), nil
}

// drawn shows a QR code of so many modules in a terminal: a line for two rows,
// black on white whatever the colours of the terminal are. dark is asked of the
// code's own modules only.
func drawn(size int, dark func(x, y int) bool) string {
	black := func(x, y int) bool {
		x, y = x-quiet, y-quiet
		return x >= 0 && y >= 0 && x < size && y < size && dark(x, y)
	}
	var b strings.Builder
	for y := 0; y < size+2*quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := range size + 2*quiet {
			switch {
			case black(x, y) && black(x, y+1):
				b.WriteRune('█')
			case black(x, y):
				b.WriteRune('▀')
			case black(x, y+1):
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}
