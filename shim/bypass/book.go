// Package bypass keeps which clients' logins go without a second factor for a
// while, since an administrator said so.
//
//	b := bypass.Open(data, time.Now)
//	err := b.Allow(bypass.Bypass{Client: "vpn", By: "ada", Reason: "ticket 4711", Until: until})
//	until, ok := b.Of("vpn")
//	err = b.End("vpn", "ada", "ticket 4711")
//
// A bypass is a file of its own under data/bypass, which any process may write
// and the running shim reads at each login: it needs no restart to begin or to
// end, survives one, and ends by itself at its time, which is at most [Max]
// from its beginning. What cannot be read, is not whole, is writable by others
// or lasts longer is no bypass. Nothing is allowed before the audit under
// data/audit has a line about it on the disk.
package bypass

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/shim/journal"
)

// Max is how long a bypass may last.
const Max = 4 * time.Hour

// maxFile is the largest file that is read, in octets.
const maxFile = 8 << 10

// maxText is the longest reason and name, in octets.
const maxText = 1024

// auditFile is how large a file of the audit grows. None is removed.
const auditFile = 16 << 20

// Bypass spares all users of one client the second factor.
type Bypass struct {
	Client string    `json:"client"`
	By     string    `json:"by"` // who allowed it
	Reason string    `json:"reason"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
}

// Book is all bypasses of a shim. All methods may be called concurrently.
type Book struct {
	data string
	now  func() time.Time
}

// Open returns the book of a shim's data folder. It makes nothing.
func Open(data string, now func() time.Time) *Book { return &Book{data: data, now: now} }

func (b *Book) folder() string { return filepath.Join(b.data, "bypass") }

func (b *Book) path(client string) string {
	return filepath.Join(b.folder(), hex.EncodeToString([]byte(client))+".json")
}

// Of tells until when logins at a client need no second factor; not ok: they do.
func (b *Book) Of(client string) (until time.Time, ok bool) {
	x, err := read(b.path(client))
	if err != nil || x.Client != client || !x.runs(b.now()) {
		return time.Time{}, false
	}
	return x.Until, true
}

// runs tells whether now is in its time.
func (x Bypass) runs(now time.Time) bool {
	return !now.Before(x.From) && now.Before(x.Until) && x.Until.Sub(x.From) <= Max
}

// All are the bypasses that run, by client. The error is of files that are
// there and cannot be read, or are no bypass.
func (b *Book) All() (all []Bypass, err error) {
	files, err := os.ReadDir(b.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var errs []error
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		path := filepath.Join(b.folder(), f.Name())
		x, bad := read(path)
		switch {
		case errors.Is(bad, fs.ErrNotExist): // it has just been ended
		case bad == nil && b.path(x.Client) != path:
			errs = append(errs, fmt.Errorf("%s is of another client", path))
		case bad != nil:
			errs = append(errs, bad)
		case x.runs(b.now()):
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(x, y Bypass) int { return strings.Compare(x.Client, y.Client) })
	return all, errors.Join(append(errs, err)...)
}

func read(path string) (x Bypass, err error) {
	f, err := os.Open(path)
	if err != nil {
		return x, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return x, err
	case info.Mode().Perm()&0o022 != 0:
		return x, fmt.Errorf("%s may be written by others, and is no bypass", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return x, err
	}
	if x, err = parse(text); err != nil {
		return x, fmt.Errorf("%s is no bypass: %w", path, err)
	}
	return x, nil
}

// parse reads what a file says.
func parse(text []byte) (x Bypass, err error) {
	if len(text) > maxFile {
		return x, errors.New("the file is too large")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return Bypass{}, err
	}
	if d.More() || x.Client == "" || x.By == "" || x.Reason == "" || x.From.IsZero() || !x.Until.After(x.From) || x.Until.Sub(x.From) > Max {
		return Bypass{}, errors.New("something is missing, or wrong")
	}
	return x, nil
}

// Allow begins a bypass now, in place of one that the client has.
func (b *Book) Allow(x Bypass) error {
	x.From, x.Until = b.now().UTC(), x.Until.UTC()
	switch life := x.Until.Sub(x.From); {
	case life <= 0 || life > Max:
		return hint.New(fmt.Sprintf("a bypass of %s cannot be: it has to end, within %s", life.Round(time.Second), Max), "give a shorter time, and allow another one when it is over")
	case strings.TrimSpace(x.Reason) == "" || x.Client == "" || x.By == "" || len(x.Reason) > maxText || len(x.Client) > maxText || len(x.By) > maxText:
		return hint.New("a bypass needs a client, somebody who allows it and a reason", fmt.Sprintf("each of at most %d octets", maxText))
	}
	if err := b.audit("bypass allowed", x); err != nil {
		return err
	}
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.folder(), 0o700); err != nil {
		return fmt.Errorf("the bypass cannot be kept: %w", err)
	}
	if err := durable.Replace(b.path(x.Client), text); err != nil {
		return fmt.Errorf("the bypass cannot be kept: %w", err)
	}
	return nil
}

// End ends a client's bypass before its time. There being none is an error of
// [fs.ErrNotExist]; one that cannot be read is ended too.
func (b *Book) End(client, by, reason string) error {
	if _, err := os.Lstat(b.path(client)); err != nil {
		return err
	}
	// The file goes first: a bypass must be able to end on a full disk.
	if err := errors.Join(os.Remove(b.path(client)), durable.SyncFolder(b.folder())); err != nil {
		return fmt.Errorf("the bypass cannot be ended: %w", err)
	}
	now := b.now().UTC()
	return b.audit("bypass ended", Bypass{Client: client, By: by, Reason: reason, From: now, Until: now})
}

// audit returns when the audit has the line on the disk.
func (b *Book) audit(what string, x Bypass) error {
	j, err := journal.Open(journal.Options{Folder: filepath.Join(b.data, "audit"), MaxFile: auditFile, Now: b.now})
	if err != nil {
		return fmt.Errorf("the audit cannot be written: %w", err)
	}
	line, err := json.Marshal(struct {
		Time time.Time `json:"time"`
		What string    `json:"msg"`
		Bypass
	}{b.now().UTC(), what, x})
	if err == nil {
		err = j.Append(line)
	}
	if err = errors.Join(err, j.Close()); err != nil {
		return fmt.Errorf("the audit cannot be written: %w", err)
	}
	return nil
}
