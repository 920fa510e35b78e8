package pages

import (
	"fmt"
	"net/url"

	"github.com/boombuler/barcode/qr"
)

// pathApp is where the authenticator's page is, below the public address.
const pathApp = "/authenticator"

// Invitation is the address for somebody who is invited. It holds no secret, and
// nothing is used up by looking at it.
func Invitation(public, user string) string {
	return public + pathApp + "#user=" + url.QueryEscape(user)
}

// Activation is the address that activates with a code: in the fragment, which
// no server sees.
func Activation(public, user, code string) string {
	return Invitation(public, user) + "&code=" + url.QueryEscape(code)
}

// QR is the QR code of a text: a line of 0 and 1 for each row, without the
// margin of four that it is shown with.
func QR(text string) ([]string, error) {
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return nil, fmt.Errorf("no QR code can be made: %w", err)
	}
	size := code.Bounds().Dx()
	rows := make([]string, size)
	for y := range size {
		row := make([]byte, size)
		for x := range size {
			row[x] = '0'
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				row[x] = '1'
			}
		}
		rows[y] = string(row)
	}
	return rows, nil
}
