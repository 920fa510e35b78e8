package channel

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// gsm are the characters of the default alphabet of texts (3GPP TS 23.038
// §6.2.1), and those of its extension, which count twice.
const (
	gsm       = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmDouble = "^{}\\[~]|€\f"
)

// parts is how many messages a network makes of a text, and charges for.
func parts(text string) int {
	units, one, many := 0, 160, 153
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsm, r):
			units++
		case strings.ContainsRune(gsmDouble, r):
			units += 2
		default:
			units, one, many = len(utf16.Encode([]rune(text))), 70, 67
			return split(units, one, many)
		}
	}
	return split(units, one, many)
}

func split(units, one, many int) int {
	if units <= one {
		return 1
	}
	return (units + many - 1) / many
}

// cost is what a text would cost, for a log; empty where no price is set.
func (p *Provider) cost(text string) string {
	if p.Price == 0 {
		return ""
	}
	return strconv.FormatFloat(p.Price*float64(parts(text)), 'f', -1, 64)
}
