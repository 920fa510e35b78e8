package legacy

import (
	"cmp"
	"fmt"
)

// whole is g with what nobody says: the parameters that all makers have meant.
func (g Generator) whole() Generator {
	g.Interval, g.Digits, g.Algorithm = cmp.Or(g.Interval, 30), cmp.Or(g.Digits, 6), cmp.Or(g.Algorithm, "SHA1")
	return g
}

// with is what two rows say together of one generator, each of which may be
// silent about any part of it, and how they contradict each other: a code that
// is made by the wrong one of two intervals is never right.
func (g Generator) with(h Generator) (both Generator, unclear string) {
	differ := func(what string, a, b any) {
		if unclear == "" {
			unclear = fmt.Sprintf("%s is %v in one row and %v in another", what, a, b)
		}
	}
	if g.Interval != h.Interval && g.Interval != 0 && h.Interval != 0 {
		differ("the interval", g.Interval, h.Interval)
	}
	if g.Digits != h.Digits && g.Digits != 0 && h.Digits != 0 {
		differ("the number of digits", g.Digits, h.Digits)
	}
	if g.Algorithm != h.Algorithm && g.Algorithm != "" && h.Algorithm != "" {
		differ("the algorithm", g.Algorithm, h.Algorithm)
	}
	return Generator{cmp.Or(g.Interval, h.Interval), cmp.Or(g.Digits, h.Digits), cmp.Or(g.Algorithm, h.Algorithm), cmp.Or(g.Drift, h.Drift)}, unclear
}

// settleTokens makes one thing of what the rows of one serial number say, and
// fills in what none of them does.
func settleTokens(tokens []Token) {
	if len(tokens) > 1 {
		known := make(map[string]Token)
		for _, t := range tokens {
			k := known[Fold(t.Serial)]
			both, unclear := k.with(t.Generator)
			known[Fold(t.Serial)] = Token{Generator: both, Unclear: cmp.Or(k.Unclear, t.Unclear, unclear)}
		}
		for i, t := range tokens {
			if k := known[Fold(t.Serial)]; t.Serial != "" {
				tokens[i].Generator, tokens[i].Unclear = k.Generator, k.Unclear
			}
		}
	}
	for i := range tokens {
		tokens[i].Generator = tokens[i].whole()
	}
}
