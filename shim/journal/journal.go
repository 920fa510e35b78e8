// Package journal keeps lines in files of a folder: written in order, bounded
// in size, and durable where that is asked for.
//
//	j, err := journal.Open(journal.Options{Folder: data + "/events", MaxFile: 16 << 20, Keep: 8})
//	_, err = j.Write(line)     // an io.Writer for a log
//	err = j.Append(line)       // returns when the line is on the disk
//	for line, err := range journal.Lines(data + "/events") { … }
//
// Each process and each turn begins a file of its own, named by its time, so
// that several processes may share a folder and a file that a crash tore is
// never written again. Of a torn file the whole lines count. Calls of Append
// at the same time share one fsync. In front of a log stands a [Gatherer], so
// that lines of a busy moment share one write.
package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mfabridge/internal/durable"
)

// MaxLine is the longest line that is written or read, in octets: an
// accounting record of a packet of 4096 octets fits.
const MaxLine = 64 << 10

const suffix = ".jsonl"

var (
	newline    = []byte{'\n'}
	errTooLong = fmt.Errorf("a record is one line of at most %d octets", MaxLine)
)

// Options say where lines go.
type Options struct {
	Folder  string           // made if it is not there
	MaxFile int64            // octets of a file, beyond which a new one begins
	Keep    int              // how many full files stay, or as much in others; 0: all
	Now     func() time.Time // nil: time.Now
}

// Journal takes lines. All methods may be called concurrently.
type Journal struct {
	o Options

	mu      sync.Mutex
	file    *os.File
	size    int64
	retired []*os.File // full, and not closed yet
	batch   *batch     // of the lines since the last fsync began

	durable sync.Mutex // held while lines are made durable
	sync    func(*os.File) error
}

// batch is lines that share one fsync, and what came of it.
type batch struct {
	done bool
	err  error
}

// Open makes the folder. Files come with the first line.
func Open(o Options) (*Journal, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder for records cannot be made: %w", err)
	}
	return &Journal{o: o, batch: new(batch), sync: (*os.File).Sync}, nil
}

// Write adds lines. The last one is given a newline if it has none.
func (j *Journal) Write(lines []byte) (int, error) {
	for rest := lines; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, newline)
		if len(line) >= MaxLine {
			return 0, errTooLong
		}
		rest = after
	}
	if _, err := j.add(lines); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// Append adds a line and returns when it is durable. With an error it is not
// known to be: a disk that fails tells of what it lost once, to whoever asks
// first, so that all lines that it may be about have the error.
func (j *Journal) Append(line []byte) error {
	line = bytes.TrimSuffix(line, newline)
	if len(line) >= MaxLine || bytes.Contains(line, newline) {
		return errTooLong
	}
	mine, err := j.add(line)
	if err != nil {
		return err
	}
	j.durable.Lock()
	defer j.durable.Unlock()
	if mine.done {
		return mine.err // another call's fsync had it
	}
	j.mu.Lock()
	file, retired := j.file, j.retired
	j.retired, j.batch = nil, new(batch)
	j.mu.Unlock()
	err = j.closeAll(retired)
	if file != nil {
		err = errors.Join(err, j.sync(file))
	}
	if err != nil {
		err = fmt.Errorf("record cannot be made durable: %w", err)
		j.leave(file, err)
	}
	mine.done, mine.err = true, err
	return err
}

// leave gives up a file that could not be made durable, with what was written
// meanwhile: the next fsync of it would know nothing of what this one has lost.
func (j *Journal) leave(file *os.File, why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.batch.done, j.batch.err = true, why
	j.batch = new(batch)
	if j.file == file && file != nil {
		_ = file.Close() // it is given up
		j.file = nil
	}
}

// closeAll closes files once they are durable.
func (j *Journal) closeAll(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, j.sync(f), f.Close())
	}
	return errors.Join(errs...)
}

// add writes one or more lines into one file, and returns what they are part of.
func (j *Journal) add(lines []byte) (*batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !bytes.HasSuffix(lines, newline) {
		lines = slices.Concat(lines, newline)
	}
	if j.file == nil || j.size+int64(len(lines)) > j.o.MaxFile || !j.there() {
		if err := j.turn(); err != nil {
			return nil, err
		}
	}
	if _, err := j.file.Write(lines); err != nil {
		// What was written of the line must not become the start of another.
		if bad := j.file.Truncate(j.size); bad != nil {
			j.retired, j.file = append(j.retired, j.file), nil
		}
		return nil, fmt.Errorf("record cannot be written: %w", err)
	}
	j.size += int64(len(lines))
	return j.batch, nil
}

// there tells whether the file is still where it was made: a line in one that
// was moved away or removed would be nowhere that anybody looks.
func (j *Journal) there() bool {
	mine, err := j.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(j.file.Name())
	return err == nil && os.SameFile(mine, named)
}

// turn begins a new file, and removes the oldest beyond Keep.
func (j *Journal) turn() error {
	names, err := files(j.o.Folder)
	if err != nil {
		return err
	}
	name := j.o.Now().UTC().Format("20060102T150405.000000000Z")
	first := 0
	if n := len(names); n > 0 && len(names[n-1]) > len(name) && names[n-1][:len(name)] >= name {
		name = names[n-1][:len(name)] // the clock went back: the order of the files must not
		if _, err := fmt.Sscanf(names[n-1][len(name):], "-%06d", &first); err == nil {
			first++
		}
	}
	var f *os.File
	err = fs.ErrExist
	for n := first; errors.Is(err, fs.ErrExist) && n < 1e6; n++ { // a clock that stands still, or another process
		f, err = os.OpenFile(filepath.Join(j.o.Folder, fmt.Sprintf("%s-%06d%s", name, n, suffix)), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	}
	if err != nil {
		return fmt.Errorf("file for records cannot be made: %w", err)
	}
	if err := durable.SyncFolder(j.o.Folder); err != nil {
		return errors.Join(err, f.Close())
	}
	if j.file != nil {
		j.retired = append(j.retired, j.file)
	}
	j.file, j.size = f, 0
	if j.o.Keep > 0 {
		j.retire()
		return j.prune()
	}
	return nil
}

// retire closes full files of a journal that nobody makes durable.
func (j *Journal) retire() {
	if !j.durable.TryLock() {
		return
	}
	defer j.durable.Unlock()
	for _, f := range j.retired {
		_ = f.Close() // lines of a log: a fault here loses at most those
	}
	j.retired = nil
}

// smallFiles is how many files stay at most for each full one: those of a program
// that starts over and over are small.
const smallFiles = 64

// prune removes the oldest files beyond what is to stay beside the newest one,
// which has just begun.
func (j *Journal) prune() error {
	names, err := files(j.o.Folder)
	if err != nil {
		return err
	}
	room, gone := int64(j.o.Keep-1)*j.o.MaxFile, 0
	for i := len(names) - 2; i >= 0 && gone == 0; i-- {
		if info, err := os.Lstat(filepath.Join(j.o.Folder, names[i])); err == nil { // else another process has removed it
			room -= info.Size()
		}
		if room < 0 || len(names)-i > j.o.Keep*smallFiles {
			gone = i + 1
		}
	}
	for _, name := range names[:gone] {
		if err := os.Remove(filepath.Join(j.o.Folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("old records cannot be removed: %w", err)
		}
	}
	return nil
}

// Close makes all lines durable and closes the files.
func (j *Journal) Close() error {
	j.durable.Lock()
	defer j.durable.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	open := j.retired
	if j.file != nil {
		open = append(open, j.file)
	}
	j.file, j.retired = nil, nil
	return j.closeAll(open)
}

// files are the names of a folder's files, the oldest first.
func files(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("records cannot be read: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Lines yields the whole lines of a folder's files, the oldest file first; a
// line is valid until the next one. Lines that are too long are passed over. A
// folder that is not there has none.
func Lines(folder string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		names, err := files(folder)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range names {
			if !lines(filepath.Join(folder, name), yield) {
				return
			}
		}
	}
}

func lines(path string, yield func([]byte, error) bool) bool {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true // removed meanwhile
	}
	if err != nil {
		return yield(nil, err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, MaxLine)
	for long := false; ; {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return true // what has no newline was torn
		case errors.Is(err, bufio.ErrBufferFull):
			long = true
			continue
		case err != nil:
			return yield(nil, err)
		}
		if !long && !yield(line[:len(line)-1], nil) {
			return false
		}
		long = false
	}
}
