package channel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// What a twin could not write it has not taken: the next provider is asked.
func TestTwinTakesWhatItWrites(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "sms")
	told := make(chan carrier.Receipt, 1)
	d, err := newTwin(&Twin{Folder: folder, Reaches: []string{"+44"}, Receipts: "delivered"}, "sms", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Report(func(r carrier.Receipt) { told <- r })
	over, stop := context.WithCancel(t.Context())
	stop()
	good := carrier.Note{ID: "a", Public: "p", Number: "+442079460123"}
	for name, c := range map[string]struct {
		ctx  context.Context
		note carrier.Note
		want error
	}{
		"another country":        {t.Context(), carrier.Note{ID: "a", Number: "+4930123456"}, carrier.ErrUnreachable},
		"an id that is no name":  {t.Context(), carrier.Note{ID: "../a", Number: good.Number}, nil},
		"a message without time": {over, good, context.Canceled},
	} {
		if _, err := d.Send(c.ctx, c.note); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if taken, err := d.Send(t.Context(), good); err != nil || taken.ID != "p" || (<-told).ID != "p" {
		t.Errorf("%+v, %v", taken, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if taken, err := d.Send(t.Context(), good); err == nil || taken.ID != "" {
		t.Errorf("without its folder it takes %+v, %v", taken, err)
	}
	select {
	case r := <-told:
		t.Errorf("a receipt of what was not taken: %+v", r)
	default:
	}
	if _, err := newTwin(&Twin{Folder: os.DevNull}, "sms", time.Now); err == nil {
		t.Error("what is no folder is opened")
	}
}
