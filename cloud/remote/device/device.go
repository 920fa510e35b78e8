// Package device is an authenticator: the other side of /authenticator/v1.
//
// A [Client] asks one engine on behalf of many devices. [Client.Activate] makes
// a [Device], with a key pair of its own; the caller keeps it, for whoever has
// it approves as that user ([Device.Marshal]). [Client.Pushes] waits for what is
// to be approved, and [Client.Press] answers it.
//
// The clock of a device may be wrong: what is refused for its time is signed
// once more by the clock of the engine, as its answer tells it.
package device

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/oath"
	"mfabridge/internal/secret"
)

// format is the version of what Marshal writes.
const format = 1

// Device is an activated authenticator.
type Device struct {
	URL  string // of the engine's pages listener
	User cloud.UserID
	UPN  string
	ID   string
	Name string
	CA   []byte // PEM of the authority of the engine's certificate; nil: the system's

	key  *ecdsa.PrivateKey
	oath *wire.AppOATH // nil: policy allowed no codes
}

// kept is a device in its file.
type kept struct {
	Format int           `json:"format"`
	URL    string        `json:"url"`
	User   cloud.UserID  `json:"user_id"`
	UPN    string        `json:"user"`
	ID     string        `json:"device"`
	Name   string        `json:"name"`
	CA     string        `json:"ca,omitempty"` // PEM
	Key    []byte        `json:"key"`          // PKCS 8
	OATH   *wire.AppOATH `json:"oath,omitempty"`
}

// Marshal is the device with its secrets, for a file that nobody else reads.
func (d *Device) Marshal() (secret.Bytes, error) {
	key, err := x509.MarshalPKCS8PrivateKey(d.key)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("the key cannot be written: %w", err)
	}
	b, err := json.MarshalIndent(kept{Format: format, URL: d.URL, User: d.User, UPN: d.UPN, ID: d.ID, Name: d.Name, CA: string(d.CA), Key: key, OATH: d.oath}, "", "  ")
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("the authenticator cannot be written: %w", err)
	}
	return secret.New(append(b, '\n')), nil
}

// Parse reads what Marshal wrote. Errors quote nothing of it.
func Parse(b secret.Bytes) (*Device, error) {
	var k kept
	if err := wire.Decode(strings.NewReader(string(b.Reveal())), &k); err != nil {
		return nil, errors.New("this is not the file of an authenticator")
	}
	if k.Format != format {
		return nil, fmt.Errorf("the authenticator has format %d, this program knows %d", k.Format, format)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(k.Key)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() || k.User == "" || k.ID == "" {
		return nil, errors.New("the file of the authenticator is damaged")
	}
	return &Device{URL: k.URL, User: k.User, UPN: k.UPN, ID: k.ID, Name: k.Name, CA: []byte(k.CA), key: key, oath: k.OATH}, nil
}

// Code is the code of a time, and how long it is shown from then.
func (d *Device) Code(at time.Time) (code string, left time.Duration, err error) {
	if d.oath == nil {
		return "", 0, errors.New("this authenticator has no codes: the method policy did not allow them when it was activated")
	}
	o := &cloud.OATH{Algorithm: d.oath.Algorithm, Digits: d.oath.Digits, Period: d.oath.Period}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(d.oath.Secret)
	g, err2 := oath.New(key, o)
	if err != nil || err2 != nil || o.Digits != 6 && o.Digits != 8 {
		return "", 0, errors.New("the file of the authenticator is damaged")
	}
	code, err = g.Code(g.Step(at))
	period := int64(o.Period)
	return code, time.Duration(period-at.Unix()%period) * time.Second, err
}
