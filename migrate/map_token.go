package migrate

import (
	"cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
)

// tokenRules move third-party tokens. They come before the devices: where both
// are the same generator, it moves as a token.
func (d *draft) tokenRules() {
	if d.now.Guest {
		d.idleClaims()
		return
	}
	if d.u.TokenExists && len(d.u.Tokens) == 0 {
		d.find(TokenNoSecret, "OathTokenExists", "the user has a token, and the export holds neither its serial number nor its secret")
	}
	twins := serialsOf(d.u.Tokens)
	for _, t := range d.u.Tokens {
		g := d.token(t)
		if legacy.Rounded(t.Serial) {
			d.findAt(g.place, TokenSerialRounded, "OathTokenSerialNumber", "the serial number of "+g.label()+" has lost its last digits")
			continue
		}
		d.claimGenerator(&g, claimMoves)
		var w twin
		if twins != nil {
			w = twins[fold(t.Serial)]
		}
		switch {
		case t.Seed.State == legacy.SeedMissing && w.usable > 0:
			d.findAt(g.place, TokenDuplicate, g.field, g.label()+" stands twice, once without its secret")
		case w.differ && t.Seed.State == legacy.SeedOK:
			d.refuse(&g, g.label()+" stands with two different secrets")
		case t.Unclear != "" && t.Seed.State == legacy.SeedOK:
			d.refuse(&g, g.label()+" stands twice, and "+t.Unclear)
		case d.usable(&g, t.Seed):
			d.place(&g)
			d.tokens = append(d.tokens, g.oath.Fingerprint)
		}
	}
}

// twin says what is known under one serial number of a user's tokens.
type twin struct {
	usable int // tokens with a secret
	first  legacy.Seed
	differ bool // two of the secrets are different
}

func serialsOf(tokens []legacy.Token) map[string]twin {
	if len(tokens) < 2 {
		return nil
	}
	twins := make(map[string]twin)
	for _, t := range tokens {
		if t.Seed.State != legacy.SeedOK || t.Serial == "" {
			continue
		}
		w := twins[fold(t.Serial)]
		if w.usable == 0 {
			w.first = t.Seed
		}
		w.differ = w.differ || !w.first.Key.Equal(t.Seed.Key)
		w.usable++
		twins[fold(t.Serial)] = w
	}
	return twins
}

func (d *draft) token(t legacy.Token) generator {
	g := generator{method: cloud.HardwareOATH, field: "OathTokenSecretKey", place: t.Place, codes: &tokenCodes, reason: "OATH token",
		kind: "token", called: t.Serial, oath: d.parameters(t.Seed, t.Generator)}
	g.oath.Manufacturer, g.oath.Model = form.Fit(t.Manufacturer, form.MaxLabel), form.Fit(t.Model, form.MaxLabel)
	g.oath.Name = form.Fit(t.Manufacturer+" "+t.Model, form.MaxLabel)
	g.named = g.oath.Name != ""
	if !g.named {
		g.oath.Name = "OATH token"
	}
	if t.Serial != "" {
		// Targets that keep an inventory of tokens want to know who made each.
		g.oath.Manufacturer, g.oath.Model = cmp.Or(g.oath.Manufacturer, unknownMaker), cmp.Or(g.oath.Model, modelToken)
		g.oath.Serial, g.ownSerial = t.Serial, true
	} else {
		g.oath.Serial = serialPrefix + g.oath.Fingerprint
		g.oath.Manufacturer, g.oath.Model = ownManufacturer, modelToken
	}
	return g
}
