package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"mfabridge/internal/seldom"
	"mfabridge/shim/config"
	"mfabridge/shim/journal"
)

// Events take at most this much of the data folder.
const (
	eventFile  = 16 << 20
	eventFiles = 16
)

func eventFolder(data string) string { return filepath.Join(data, "events") }

// gathering is how long a line of the shim's log may wait for others. A crash
// loses what it held; the audit is not in it.
const gathering = 5 * time.Millisecond

// shimLog is where a shim tells what it does: to standard error, and to the
// files that `shim why` reads. What it returns first writes what waits, and
// closes the files.
func (p *program) shimLog(conf *config.Config) (func() error, *slog.Logger, error) {
	events, err := journal.Open(journal.Options{Folder: eventFolder(conf.Data), MaxFile: eventFile, Keep: eventFiles, Now: p.now})
	if err != nil {
		return nil, nil, err
	}
	if isTerminal(p.err) {
		kept := journal.Gather(&keeping{w: events, log: p.logger(), now: p.now}, gathering)
		end := func() error { return errors.Join(kept.Close(), events.Close()) }
		return end, slog.New(slog.NewMultiHandler(p.logger().Handler(), jsonLines(kept))), nil
	}
	shown := journal.Gather(p.err, gathering)
	kept := journal.Gather(&keeping{w: events, log: slog.New(jsonLines(shown)), now: p.now}, gathering)
	end := func() error {
		err := errors.Join(kept.Close(), events.Close())
		_ = shown.Close() // who does not listen misses it; the files have it
		return err
	}
	return end, slog.New(jsonLines(twice{kept, shown})), nil
}

// twice gives lines to two who take all that they get.
type twice [2]*journal.Gatherer

func (t twice) Write(lines []byte) (int, error) {
	_, _ = t[0].Write(lines)
	return t[1].Write(lines)
}

// keeping writes events, and tells the log that goes elsewhere when they are
// lost, as on a disk that is full. A Gatherer writes one after the other.
type keeping struct {
	w    io.Writer
	log  *slog.Logger
	now  func() time.Time
	told seldom.Word
	lost int // events since the log was told that all is well
}

func (k *keeping) Write(lines []byte) (int, error) {
	n, err := k.w.Write(lines)
	if err != nil {
		k.lost += bytes.Count(lines, []byte{'\n'})
	}
	if k.lost == 0 || !k.told.Due(k.now()) {
		return n, err
	}
	if err != nil {
		k.log.Error("events cannot be kept: shim why will not know them", "err", err, "lost", k.lost,
			"hint", "make room on the disk of the data folder, and let this user write there")
		return n, err
	}
	k.log.Warn("events are kept again", "lost", k.lost)
	k.lost = 0
	return n, nil
}
