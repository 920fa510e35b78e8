// Package spill sorts more byte records than fit into memory.
//
// A [Sorter] takes records one by one, keeps them in an arena of a fixed size,
// and writes each full arena, sorted, as a run to a temporary file. [Sorter.Sorted]
// merges the runs. What fits into the arena never touches the disk.
//
// Records may hold secrets. A temporary file is readable by its owner only, has
// no name after it was opened (where the system allows that), and consists of
// blocks sealed with AES-256-GCM under a random key that exists in memory only.
// A block is bound to its place: one that was altered, moved or cut off is an
// error, never a wrong record.
package spill

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"mfabridge/internal/hint"
)

// Limits and sizes, in bytes unless said otherwise.
const (
	DefaultMemory = 8 << 20   // of Options.Memory
	MinMemory     = 4 << 10   // less is raised to this
	MaxMemory     = 1 << 30   // more is lowered to this
	MaxRecord     = chunkSize // longest record
	MaxRuns       = 64        // runs that are merged at once; more are merged into one before

	chunkSize  = 1 << 20  // the arena grows by chunks; a record lies within one
	blockSize  = 64 << 10 // plain bytes of a sealed block, but for a larger single record
	entrySize  = 16       // of one entry
	prefixSize = 8
)

// Options of a Sorter; the zero value is usable.
type Options struct {
	Dir    string // for temporary files; empty: the system's folder for them
	Memory int    // bytes of records and index kept in memory; 0: DefaultMemory
}

// Sorter sorts records by bytes.Compare. Equal records are all kept. It is not
// for concurrent use.
type Sorter struct {
	memory int
	create func() (file, error)
	aead   cipher.AEAD // made with the first run

	chunks [][]byte // records, one after the other; len is what is used
	used   int      // number of chunks in use
	index  []entry
	held   int // bytes that count against memory
	count  int64

	store  *store // nil: nothing was spilled
	sealed bool   // no more Add
	err    error  // sticky
}

// entry is one record in the arena. Most comparisons end with the prefix.
type entry struct {
	prefix uint64
	at     uint32 // chunk number and offset within it
	size   uint32
}

var (
	errClosed = errors.New("sorter is closed")
	errSealed = errors.New("a record is added after the records were asked for")
)

// New returns an empty Sorter, which must be closed. It opens no file.
func New(o Options) *Sorter {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	return &Sorter{
		memory: min(max(o.Memory, MinMemory), MaxMemory),
		create: func() (file, error) { return createTemp(o.Dir) },
	}
}

// Len is the number of records added.
func (s *Sorter) Len() int64 { return s.count }

// Add copies rec into the sorter. An error (a record that is too long, a disk
// that is full) is final: every later call returns it.
func (s *Sorter) Add(rec []byte) error {
	switch {
	case s.err != nil:
		return s.err
	case s.sealed:
		return errSealed
	case len(rec) > MaxRecord:
		s.err = fmt.Errorf("a record of %d bytes cannot be sorted, %d is the limit", len(rec), MaxRecord)
		return s.err
	}
	cost := len(rec) + entrySize
	if s.held+cost > s.memory && len(s.index) > 0 {
		if err := s.flush(); err != nil {
			return s.fail(err)
		}
	}
	s.index = append(s.index, entry{prefix: prefix(rec), at: s.place(rec), size: uint32(len(rec))})
	s.held += cost
	s.count++
	return nil
}

// place copies rec into the arena and returns where it lies. The address has
// 12 bits for the chunk, which is enough for MaxMemory, and 20 for the offset.
func (s *Sorter) place(rec []byte) uint32 {
	if s.used == 0 || !fits(s.chunks[s.used-1], len(rec)) {
		if s.used == len(s.chunks) {
			s.chunks = append(s.chunks, make([]byte, 0, s.chunkCap(len(rec))))
		} else if cap(s.chunks[s.used]) < len(rec) {
			s.chunks[s.used] = make([]byte, 0, len(rec))
		}
		s.used++
	}
	c := &s.chunks[s.used-1]
	at := uint32(s.used-1)<<20 | uint32(len(*c))
	*c = append(*c, rec...)
	return at
}

// fits tells whether a record can follow in a chunk. Nothing follows in one
// that is full, not even a record without bytes, which needs an address too.
func fits(chunk []byte, size int) bool {
	return len(chunk) < chunkSize && len(chunk)+size <= cap(chunk)
}

// chunkCap is the size of the next chunk. The first one is small, so that a
// small sorter stays small.
func (s *Sorter) chunkCap(need int) int {
	want := chunkSize
	if len(s.chunks) == 0 {
		want = 64 << 10
	}
	return max(min(want, s.memory), need)
}

func (s *Sorter) record(e entry) []byte {
	off := e.at & (chunkSize - 1)
	return s.chunks[e.at>>20][off : off+e.size : off+e.size]
}

func prefix(rec []byte) uint64 {
	if len(rec) >= prefixSize {
		return binary.BigEndian.Uint64(rec)
	}
	var b [prefixSize]byte
	copy(b[:], rec)
	return binary.BigEndian.Uint64(b[:])
}

func (s *Sorter) sortArena() {
	slices.SortFunc(s.index, func(a, b entry) int {
		switch {
		case a.prefix < b.prefix:
			return -1
		case a.prefix > b.prefix:
			return 1
		}
		return bytes.Compare(s.record(a), s.record(b))
	})
}

// flush writes the arena as one run and empties it.
func (s *Sorter) flush() error {
	if err := s.prepare(); err != nil {
		return err
	}
	s.sortArena()
	w := s.store.newRun(s.aead)
	for _, e := range s.index {
		if err := w.add(s.record(e)); err != nil {
			return err
		}
	}
	if err := w.close(); err != nil {
		return err
	}
	for i := range s.used {
		s.chunks[i] = s.chunks[i][:0]
	}
	s.used, s.held, s.index = 0, 0, s.index[:0]
	if len(s.store.runs) < MaxRuns {
		return nil
	}
	return s.compact()
}

// prepare makes the key and the file of the first run.
func (s *Sorter) prepare() error {
	if s.store != nil {
		return nil
	}
	if s.aead == nil {
		key := make([]byte, 32)
		rand.Read(key) // never fails
		block, err := aes.NewCipher(key)
		clear(key)
		if err != nil {
			return err
		}
		if s.aead, err = cipher.NewGCM(block); err != nil {
			return err
		}
	}
	f, err := s.create()
	if err != nil {
		return err
	}
	s.store = &store{file: f}
	return nil
}

// compact merges all runs into one, in a new file.
func (s *Sorter) compact() error {
	f, err := s.create()
	if err != nil {
		return err
	}
	next := &store{file: f, number: s.store.number}
	w := next.newRun(s.aead)
	var wrote error
	err = s.store.merge(s.aead, func(rec []byte) bool {
		wrote = w.add(rec)
		return wrote == nil
	})
	if err = cmp.Or(err, wrote); err == nil {
		err = w.close()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	old := s.store
	s.store = next
	return old.file.Close()
}

// Sorted yields all records in order. A record is valid until the next one is
// asked for. After the first call nothing can be added; Sorted itself may be
// called again, also while an earlier iteration is still going on. An error is
// yielded once, as the last pair.
func (s *Sorter) Sorted() iter.Seq2[[]byte, error] {
	s.seal()
	return func(yield func([]byte, error) bool) {
		if s.err != nil {
			yield(nil, s.err)
			return
		}
		if s.store == nil {
			s.yieldArena(yield)
			return
		}
		left := false
		err := s.store.merge(s.aead, func(rec []byte) bool {
			if s.err != nil {
				return false
			}
			left = !yield(rec, nil)
			return !left
		})
		switch {
		case left:
		case s.err != nil: // closed meanwhile
			yield(nil, s.err)
		case err != nil:
			yield(nil, fileError(err))
		}
	}
}

func (s *Sorter) yieldArena(yield func([]byte, error) bool) {
	for _, e := range s.index {
		if s.err != nil { // closed meanwhile
			yield(nil, s.err)
			return
		}
		if !yield(s.record(e), nil) {
			return
		}
	}
}

// seal ends adding. Where something was spilled the rest follows it, so that
// the arena is free while the runs are merged.
func (s *Sorter) seal() {
	if s.sealed || s.err != nil {
		return
	}
	s.sealed = true
	if s.store == nil {
		s.sortArena()
		return
	}
	if len(s.index) > 0 {
		if err := s.flush(); err != nil {
			s.fail(err)
		}
	}
	s.drop()
}

// drop wipes and gives up the arena.
func (s *Sorter) drop() {
	for _, c := range s.chunks {
		clear(c[:cap(c)])
	}
	s.chunks, s.index, s.used, s.held = nil, nil, 0, 0
}

func (s *Sorter) fail(err error) error {
	s.err = hint.Wrap(fileError(err), "make room in the folder for temporary files, or name another one (TMPDIR)")
	return s.err
}

func fileError(err error) error { return fmt.Errorf("temporary sort file cannot be used: %w", err) }

// Close wipes what is in memory and removes the temporary file. It may be
// called twice. An iteration that is still going on ends with an error.
func (s *Sorter) Close() error {
	if s.err == errClosed {
		return nil
	}
	s.err = errClosed
	s.drop()
	if s.store == nil {
		return nil
	}
	err := s.store.file.Close()
	s.store = nil
	return err
}
