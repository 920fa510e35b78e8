package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// twin stands in for a provider: it writes messages into a folder, says of some
// numbers that they have no such channel, and gives receipts.
type twin struct {
	conf    *Twin
	channel string
	root    *os.Root
	now     func() time.Time
	tell    func(carrier.Receipt)
	telling sync.WaitGroup

	mu     sync.Mutex
	closed bool // no further receipt
}

var (
	_ carrier.Reporter = (*twin)(nil)
	_ carrier.Repeater = (*twin)(nil)
)

func newTwin(conf *Twin, channel string, now func() time.Time) (*twin, error) {
	root, err := openFolder(conf.Folder)
	if err != nil {
		return nil, err
	}
	return &twin{conf: conf, channel: channel, root: root, now: now}, nil
}

// Report implements [carrier.Reporter].
func (t *twin) Report(tell func(carrier.Receipt)) { t.tell = tell }

// Repeats implements [carrier.Repeater]: the same note replaces its file.
func (t *twin) Repeats() bool { return true }

// Send implements [carrier.Driver].
func (t *twin) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	if err := ctx.Err(); err != nil {
		return carrier.Taken{}, err
	}
	if len(t.conf.Reaches) > 0 && !slices.ContainsFunc(t.conf.Reaches, func(prefix string) bool { return strings.HasPrefix(n.Number, prefix) }) {
		return carrier.Taken{}, carrier.ErrUnreachable
	}
	content, err := json.MarshalIndent(Written{ID: n.ID, Time: t.now().UTC(), Channel: t.channel, To: n.Number, Extension: n.Extension, Text: n.Text,
		Application: n.Application}, "", "  ")
	if err != nil || !isName(n.ID) {
		return carrier.Taken{}, errors.New("message cannot be put into a file")
	}
	name := n.ID + "-" + t.channel // ids ascend
	if err := writeWhole(t.root, name, append(content, '\n')); err != nil {
		return carrier.Taken{}, fmt.Errorf("message was not written: %w", err)
	}
	taken := carrier.Taken{}
	if t.conf.Receipts != "" && t.conf.Receipts != "none" {
		taken.ID = n.Public
		t.receipt(carrier.Receipt{ID: n.Public, ByNote: t.channel == "voice", Status: carrier.Status(t.conf.Receipts), At: t.now()})
	}
	return taken, nil
}

// receipt gives one without waiting until it was taken.
func (t *twin) receipt(r carrier.Receipt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tell != nil && !t.closed {
		t.telling.Go(func() { t.tell(r) })
	}
}

// Close implements [carrier.Driver].
func (t *twin) Close() error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.telling.Wait()
	return t.root.Close()
}
