// Package channel holds ways to hand a code to a user: each is an
// [engine.Sender].
//
// [Open] makes them as a [Config] says: [Texts], which go by WhatsApp, RCS and SMS
// one after the other, [Calls] and [Mails]. Each channel has providers, at most
// two, behind drivers of the contract in package carrier: a [Caller] by HTTPS, a
// [Mailer] by SMTP, a [Messenger] for WhatsApp, a [Phone] for calls, and a folder
// in the place of any of them. Nothing of a message, a number, a secret or an
// answer is in an error or a log line, numbers are masked. A provider that was
// asked and has not taken a message is an error, never silence. One that fails
// again and again is left alone for a while, and however slow it is, it holds no
// more callers than its channel may.
//
// What has to outlive the process, which channel comes next and what receipts
// mean, is the engine's ([Ledger]).
//
// [Outbox] writes messages into a folder, one file each, instead of sending
// them. It is for trying out, for tests and for a gateway that picks files up.
// It does not count as telephony: a plan goes on warning users who depend on
// texts.
package channel

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
)

// Outbox is a folder (mode 0700) of messages, one JSON file (mode 0600) each,
// named by time and challenge. A file appears whole or not at all; who reads
// it is to delete it, as it holds a code.
type Outbox struct {
	root    *os.Root
	channel cloud.Preference
}

var _ engine.Sender = (*Outbox)(nil)

// Written is the content of a file.
type Written struct {
	ID          string    `json:"id"`
	Time        time.Time `json:"time"`
	Channel     string    `json:"channel"` // sms, email, whatsapp, rcs, voice
	To          string    `json:"to"`
	Extension   string    `json:"extension,omitempty"`
	Subject     string    `json:"subject,omitempty"`
	Text        string    `json:"text"`
	Application string    `json:"application"`
}

// OpenOutbox makes the folder if it is not there. A folder that others may
// read is refused.
func OpenOutbox(path string, c cloud.Preference) (*Outbox, error) {
	root, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	return &Outbox{root: root, channel: c}, nil
}

func openFolder(path string) (*os.Root, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("outbox cannot be made: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("outbox cannot be opened: %w", err), "it belongs to whoever needed it first: chown -R it to the user whom the engine runs as, and run commands as that user")
	}
	info, err := root.Stat(".")
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("outbox %s may be read by others (mode %04o)", path, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// Send implements [engine.Sender]: the file is flushed before it returns nil.
// The same message again replaces its file.
func (o *Outbox) Send(ctx context.Context, m engine.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("message was not written: %w", err)
	}
	if !isName(m.ID) {
		return errors.New("message was not written: its id is not a plain word")
	}
	content, err := json.MarshalIndent(Written{ID: m.ID, Time: m.Time.UTC(), Channel: string(cmp.Or(m.Way, o.channel)), To: m.To,
		Subject: m.Subject, Text: string(m.Text.Reveal()), Application: m.Application}, "", "  ")
	if err != nil {
		return errors.New("message cannot be put into JSON")
	}
	name := m.Time.UTC().Format("20060102T150405.000000000Z") + "-" + m.ID
	if err := writeWhole(o.root, name, append(content, '\n')); err != nil {
		return fmt.Errorf("message was not written: %w", err)
	}
	return nil
}

// writeWhole makes a file that is there whole or not at all, and on the disk.
func writeWhole(root *os.Root, name string, content []byte) error {
	f, err := root.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = root.Rename(name+".tmp", name+".json")
	}
	if err != nil {
		return errors.Join(err, root.Remove(name+".tmp"))
	}
	return nil
}

// Delivers is false: nobody's telephone rings.
func (*Outbox) Delivers() bool { return false }

// Close releases the folder.
func (o *Outbox) Close() error { return o.root.Close() }

// isName tells whether s is letters, digits and hyphens, at most 64.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
