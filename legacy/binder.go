package legacy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"mfabridge/internal/secret"
)

// Limits of settings.
const (
	MaxSettingList = 10_000 // items of one list
	MaxSettingText = 4096   // bytes of one text
)

// readText reads JSON that may not be UTF-8.
func readText(b []byte, wrong string) (*node, *badRow) {
	if at := firstInvalid(b); at < len(b) {
		line := 1 + bytes.Count(b[:at], newline())
		return nil, &badRow{line: line, col: at - bytes.LastIndexByte(b[:at], '\n'), text: wrong}
	}
	return readJSON(b, 1)
}

// place is where a value stands in a tree: "radiusClients[2].name". Paths of
// unknown keys leave the numbers out, so that each is reported once.
type place struct {
	up   *place
	key  string
	item int // from 1; 0: not in a list
}

func (p *place) path(numbers bool) string {
	if p.up == nil {
		return ""
	}
	above := p.up.path(numbers)
	switch {
	case p.item > 0 && numbers:
		return fmt.Sprintf("%s[%d]", above, p.item-1)
	case p.item > 0:
		return above + "[]"
	case above == "":
		return p.key
	}
	return above + "." + p.key
}

// fields are the keys of an object and what is to be done with their values.
type fields map[string]func(*place, *node)

// binder brings a tree of JSON into a struct, and reports what does not fit.
type binder struct {
	problems *problems
	file     string
	unknown  map[string]bool // paths that were reported
	err      error           // of reporting
}

func (b *binder) report(p Problem) {
	if b.err == nil {
		b.err = b.problems.add(p)
	}
}

// invalid reports a value that is left out. It does not quote it.
func (b *binder) invalid(p *place, n *node, must string) {
	b.report(Problem{Code: SettingInvalid, Place: Place{b.file, n.line, n.col}, Field: p.path(true), Detail: must + "; it is left out"})
}

// object hands the values of an object to its fields. Keys are compared as
// headers are. Null is as if the key were not there.
func (b *binder) object(p *place, n *node, f fields) {
	if n.kind != nodeObject {
		b.invalid(p, n, "must be an object, not "+n.kind.String())
		return
	}
	byFolded := map[string]func(*place, *node){}
	for key, bind := range f {
		byFolded[foldHeader(key)] = bind
	}
	seen := map[string]bool{}
	for _, m := range n.members {
		inner := &place{up: p, key: shortName(m.key)}
		folded := foldHeader(m.key)
		bind, ok := byFolded[folded]
		switch {
		case !ok:
			b.stranger(inner, m)
		case seen[folded]:
			b.invalid(inner, m.value, "stands twice in its object")
		case m.value.kind != nodeNull:
			bind(inner, m.value)
		}
		seen[folded] = true
	}
}

// shortName is a key that fits into a path.
func shortName(key string) string {
	const most = 64
	if len(key) <= most {
		return key
	}
	key = key[:most]
	for !utf8.ValidString(key) {
		key = key[:len(key)-1]
	}
	return key + "…"
}

// stranger reports a key that nothing is read from.
func (b *binder) stranger(p *place, m entry) {
	path := p.path(false)
	if b.unknown[path] {
		return
	}
	b.unknown[path] = true
	b.report(Problem{Code: SettingUnknown, Place: Place{b.file, m.line, m.col}, Field: path,
		Detail: "nothing is read from this key, and its value is not kept"})
}

// inner is a field that is an object.
func (b *binder) inner(f fields) func(*place, *node) {
	return func(p *place, n *node) { b.object(p, n, f) }
}

// list is a field that is a list.
func (b *binder) list(item func(*place, *node)) func(*place, *node) {
	return func(p *place, n *node) {
		switch {
		case n.kind != nodeList:
			b.invalid(p, n, "must be a list, not "+n.kind.String())
		case len(n.items) > MaxSettingList:
			b.invalid(p, n, fmt.Sprintf("has more than %d items", MaxSettingList))
		default:
			for i, n := range n.items {
				item(&place{up: p, item: i + 1}, n)
			}
		}
	}
}

// is checks the kind of a value, and that a text has a length that somebody
// may have meant.
func (b *binder) is(p *place, n *node, kind nodeKind) bool {
	switch {
	case n.kind != kind:
		b.invalid(p, n, "must be "+kind.String()+", not "+n.kind.String())
		return false
	case len(n.text) > MaxSettingText:
		b.invalid(p, n, fmt.Sprintf("has more than %d bytes", MaxSettingText))
		return false
	}
	return true
}

func (b *binder) text(dst *string) func(*place, *node) {
	return func(p *place, n *node) {
		if b.is(p, n, nodeText) {
			*dst = strings.TrimSpace(n.text)
		}
	}
}

func (b *binder) secret(dst *secret.Bytes) func(*place, *node) {
	return func(p *place, n *node) {
		if b.is(p, n, nodeText) {
			*dst = secret.FromString(n.text)
		}
	}
}

func (b *binder) flag(dst *bool) func(*place, *node) {
	return func(p *place, n *node) {
		if b.is(p, n, nodeBool) {
			*dst = n.text == "true"
		}
	}
}

func (b *binder) number(dst *int, low, high int) func(*place, *node) {
	return func(p *place, n *node) {
		if !b.is(p, n, nodeNumber) {
			return
		}
		v, err := strconv.Atoi(n.text)
		if err != nil || v < low || v > high {
			b.invalid(p, n, fmt.Sprintf("must be a whole number from %d to %d", low, high))
			return
		}
		*dst = v
	}
}

// word is one of the words, in any case; "unspecified" and "invalid" are as if
// nothing were said.
func (b *binder) word(set func(string), words ...string) func(*place, *node) {
	return func(p *place, n *node) {
		if !b.is(p, n, nodeText) {
			return
		}
		text := strings.TrimSpace(n.text)
		for _, w := range words {
			if strings.EqualFold(text, w) {
				set(w)
				return
			}
		}
		if text != "" && !strings.EqualFold(text, "unspecified") && !strings.EqualFold(text, "invalid") {
			b.invalid(p, n, "must be "+orList(words))
		}
	}
}

// parseRange reads an address, a subnet or two addresses with a - between.
func parseRange(written string) (TrustedIP, bool) {
	if prefix, err := netip.ParsePrefix(written); err == nil {
		prefix = prefix.Masked()
		return TrustedIP{prefix.Addr(), lastOf(prefix)}, true
	}
	first, second, isRange := strings.Cut(written, "-")
	from, err := netip.ParseAddr(strings.TrimSpace(first))
	if err != nil || from.Zone() != "" {
		return TrustedIP{}, false
	}
	if !isRange {
		return TrustedIP{from, from}, true
	}
	to, err := netip.ParseAddr(strings.TrimSpace(second))
	if err != nil || to.Zone() != "" || to.BitLen() != from.BitLen() || to.Less(from) {
		return TrustedIP{}, false
	}
	return TrustedIP{from, to}, true
}

// lastOf is the last address of a subnet.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
