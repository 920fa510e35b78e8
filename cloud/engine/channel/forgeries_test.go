package channel_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine/channel"
)

// Forged calls are counted, each of them, and fill no log.
func TestForgedCallsAreCountedAndFillNoLog(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"token", "app", "verify"} {
		write(t, filepath.Join(folder, name), aSecret)
	}
	conf, err := parse(t, strings.NewReplacer("URL", "https://127.0.0.1", "FOLDER", folder).Replace(companies))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	now := cloudtest.NewClock()
	c, err := channel.Open(channel.Options{Config: conf, PublicURL: "https://mfa.contoso.example", Now: now.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	forge := func(provider string) {
		t.Helper()
		call := posted("https://mfa.contoso.example/delivery/v1/"+provider, "application/json", statusOf("wamid.A", "failed", 0), "X-Hub-Signature-256", signature("other", ""))
		if reply, err := c.Call(t.Context(), provider, *call); cloud.KindOf(err) != cloud.Denied || len(reply.Body) > 0 {
			t.Fatalf("%s: %+v, %v", provider, reply, err)
		}
	}
	for range 500 {
		forge("wa")
		forge("sms")    // is not called back
		forge("nobody") // there is none
	}
	now.Advance(61 * time.Second)
	forge("wa")
	if h := c.HealthOf("whatsapp", "wa"); h.Forged != 501 || h.State != "well" || c.Strange() != 1000 || c.HealthOf("voice", "calls").Forged != 0 {
		t.Errorf("counted: %+v and %d", h, c.Strange())
	}
	if lines := strings.Count(log.String(), "\n"); lines != 3 || !strings.Contains(log.String(), "times=500") || strings.Contains(log.String(), "nobody") {
		t.Errorf("%d lines in the log:\n%s", lines, log.String())
	}
	leaks(t, "the log", log.String())
}
