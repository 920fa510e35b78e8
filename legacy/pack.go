package legacy

import (
	"encoding/binary"
	"errors"
	"time"
)

// errPacked cannot happen: what was packed is sealed.
var errPacked = errors.New("a sorted record cannot be read back")

// pack appends the row. The secret is last and apart from the text, so that
// unpack leaves it out of the strings it makes.
func (a *attached) pack(b []byte) []byte {
	b = append(b, byte(a.state))
	b = binary.AppendUvarint(b, uint64(a.part))
	b = binary.AppendUvarint(b, uint64(a.line))
	b = binary.AppendUvarint(b, uint64(a.generator.Interval))
	b = binary.AppendUvarint(b, uint64(a.generator.Digits))
	b = binary.AppendVarint(b, int64(a.generator.Drift))
	b = appendBytes(b, a.generator.Algorithm)
	b = appendTime(b, a.activated)
	b = appendTime(b, a.lastUsed)
	for _, t := range a.text {
		b = binary.AppendUvarint(b, uint64(len(t)))
	}
	for _, t := range a.text {
		b = append(b, t...)
	}
	return append(b, a.secret...)
}

func appendBytes[T []byte | string](b []byte, t T) []byte {
	b = binary.AppendUvarint(b, uint64(len(t)))
	return append(b, t...)
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// unpacker reads what pack wrote. Once a read fails all later ones do.
type unpacker struct {
	b      []byte
	failed bool
}

func (u *unpacker) take(n uint64) []byte {
	if u.failed || n > uint64(len(u.b)) {
		u.failed = true
		return nil
	}
	t := u.b[:n]
	u.b = u.b[n:]
	return t
}

func (u *unpacker) byte() byte {
	if t := u.take(1); t != nil {
		return t[0]
	}
	return 0
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.b)
	u.take(uint64(max(n, 0)))
	u.failed = u.failed || n <= 0
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.b)
	u.take(uint64(max(n, 0)))
	u.failed = u.failed || n <= 0
	return v
}

func (u *unpacker) bytes() []byte { return u.take(u.uvarint()) }

func (u *unpacker) time() time.Time {
	sec := u.varint()
	return time.Unix(sec, int64(u.uvarint())).UTC()
}

// unpacked is a device or token read back, all its text in one allocation.
type unpacked struct {
	part      int
	line      int
	generator Generator
	activated time.Time
	lastUsed  time.Time
	text      [packedDevice]string
	secret    []byte
}

func unpack(b []byte, texts int) (a unpacked, err error) {
	u := unpacker{b: b}
	u.byte() // state
	a.part, a.line = int(u.uvarint()), int(u.uvarint())
	a.generator.Interval, a.generator.Digits = int(u.uvarint()), int(u.uvarint())
	a.generator.Drift = int(u.varint())
	a.generator.Algorithm = algorithmName(u.bytes())
	a.activated, a.lastUsed = u.time(), u.time()
	var sizes [packedDevice]uint64
	var total uint64
	for i := range texts {
		sizes[i] = u.uvarint()
		total += sizes[i]
	}
	all := string(u.take(total))
	if u.failed {
		return unpacked{}, errPacked
	}
	for i := range texts {
		a.text[i], all = all[:sizes[i]], all[sizes[i]:]
	}
	a.secret = u.b
	return a, nil
}

// algorithmName spares an allocation for the names that there are.
func algorithmName(b []byte) string {
	for _, name := range []string{"SHA1", "SHA256", "SHA512"} {
		if string(b) == name {
			return name
		}
	}
	return ""
}

func (a *unpacked) device(file, format string) Device {
	return Device{
		Place:            Place{File: file, Line: a.line},
		ID:               a.text[packedID],
		Name:             a.text[packedName],
		PushToken:        a.text[packedPush],
		NotificationType: a.text[packedNotification],
		AppVersion:       a.text[packedVersion],
		Seed:             seedOf(a.secret, format),
		Generator:        a.generator.whole(),
		Activated:        a.activated,
		LastUsed:         a.lastUsed,
	}
}

func (a *unpacked) token(file, format string) Token {
	return Token{
		Place:        Place{File: file, Line: a.line},
		Serial:       a.text[packedSerial],
		Manufacturer: a.text[packedManufacturer],
		Model:        a.text[packedModel],
		Seed:         seedOf(a.secret, format),
		Generator:    a.generator,
	}
}
