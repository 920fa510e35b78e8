package smpp_test

import (
	"log/slog"
	"testing"

	"mfabridge/cloud/engine/channel/smpp"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/internal/secret"
)

type unit = smpptest.Unit

// open is a client of a centre.
func open(t testing.TB, c *smpptest.Centre, change func(*smpp.Config)) *smpp.Client {
	t.Helper()
	conf := smpp.Config{Dial: c.Dial, SystemID: "contoso", Password: secret.FromString(smpptest.Password), Source: "Contoso", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&conf)
	}
	client, err := smpp.Open(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
