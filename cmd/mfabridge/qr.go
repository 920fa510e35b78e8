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
	return secret.FromString("link  " + link + "\n\n" + drawn(rows)), nil
}

// drawn shows a QR code in a terminal: a line for two rows, black on white
// whatever the colours of the terminal are. Rows are of 0 and 1.
func drawn(rows []string) string {
	dark := func(x, y int) bool {
		x, y = x-quiet, y-quiet
		return y >= 0 && y < len(rows) && x >= 0 && x < len(rows[y]) && rows[y][x] == '1'
	}
	var b strings.Builder
	size := len(rows) + 2*quiet
	for y := 0; y < size; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := range size {
			switch {
			case dark(x, y) && dark(x, y+1):
				b.WriteRune('█')
			case dark(x, y):
				b.WriteRune('▀')
			case dark(x, y+1):
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}
