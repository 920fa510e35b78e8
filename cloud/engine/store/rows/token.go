package rows

import (
	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/oath"
)

// Columns of tokens, without the user's.
const (
	TokenColumns = "id, method, name, serial, manufacturer, model, algorithm, digits, period, fingerprint, sealed, " + ClockColumns
	ClockColumns = "proven, drift, last_step, seen_step"
)

// Token reads one of a user, which is not in the row.
func Token(r Row, user cloud.UserID) engine.Token {
	t := engine.Token{User: user}
	t.ID, t.Method = r.Text(), cloud.Method(r.Text())
	t.OATH = cloud.OATH{Name: r.Text(), Serial: r.Text(), Manufacturer: r.Text(), Model: r.Text(),
		Algorithm: cloud.Algorithm(r.Text()), Digits: int(r.Number()), Period: int(r.Number()), Fingerprint: r.Text()}
	t.Sealed = r.Bytes()
	t.Clock = oath.Clock{Proven: r.Number() != 0, Drift: int(r.Number()), Last: r.Number(), Seen: r.Number()}
	return t
}

// TokenValues appends what is written, the user first.
func TokenValues(to []any, k *engine.Token) []any {
	o := &k.OATH
	to = append(to, string(k.User), k.ID, string(k.Method), o.Name, o.Serial, o.Manufacturer, o.Model,
		string(o.Algorithm), int64(o.Digits), int64(o.Period), o.Fingerprint, Full(k.Sealed))
	return ClockValues(to, k.Clock)
}

// ClockValues appends what is written of a generator's clock.
func ClockValues(to []any, c oath.Clock) []any {
	return append(to, flag(c.Proven), int64(c.Drift), c.Last, c.Seen)
}
