package spill

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// file is the part of *os.File that runs need. Close also removes it.
type file interface {
	io.ReaderAt
	io.Writer
	io.Closer
}

// tempFile is a file that nobody else can open, or that goes when it is closed.
type tempFile struct {
	*os.File
	name string // empty: has no name any more
}

func createTemp(dir string) (file, error) {
	f, err := os.CreateTemp(dir, "mfabridge-sort-*") // 0600
	if err != nil {
		return nil, err
	}
	t := &tempFile{File: f, name: f.Name()}
	if os.Remove(t.name) == nil {
		t.name = ""
	}
	return t, nil
}

func (t *tempFile) Close() error {
	err := t.File.Close()
	if t.name != "" {
		err = errors.Join(err, os.Remove(t.name))
	}
	return err
}

// store is a file of runs, one after the other.
type store struct {
	file   file
	size   int64
	number uint32 // of the last run under this key, also in earlier files
	runs   []extent
}

// extent is one run: sealed blocks, each behind its length in 4 bytes.
type extent struct {
	number uint32
	start  int64
	end    int64
}

// nonce is the place of a block: run, number of the block, and whether
// it is the last. One key never sees a nonce twice, and a block fits nowhere
// else.
func nonce(dst *[12]byte, run uint32, block uint32, last bool) []byte {
	binary.BigEndian.PutUint32(dst[0:], run)
	binary.BigEndian.PutUint32(dst[4:], block)
	dst[8] = 0
	if last {
		dst[8] = 1
	}
	return dst[:]
}

// runWriter writes one run at the end of a store.
type runWriter struct {
	st    *store
	aead  cipher.AEAD
	run   extent
	block uint32
	buf   []byte // 4 bytes for the length, then plain bytes
	nonce [12]byte
}

func (st *store) newRun(aead cipher.AEAD) *runWriter {
	st.number++
	return &runWriter{st: st, aead: aead,
		run: extent{number: st.number, start: st.size},
		buf: make([]byte, 4, 4+blockSize+aead.Overhead())}
}

func (w *runWriter) add(rec []byte) error {
	if len(w.buf) > 4 && len(w.buf)+binary.MaxVarintLen32+len(rec) > 4+blockSize {
		if err := w.write(false); err != nil {
			return err
		}
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(len(rec)))
	w.buf = append(w.buf, rec...)
	return nil
}

func (w *runWriter) write(last bool) error {
	w.buf = slices.Grow(w.buf, w.aead.Overhead()) // so that it is sealed in place
	sealed := w.aead.Seal(w.buf[4:4], nonce(&w.nonce, w.run.number, w.block, last), w.buf[4:], nil)
	w.buf = w.buf[:4+len(sealed)]
	binary.BigEndian.PutUint32(w.buf, uint32(len(sealed)))
	n, err := w.st.file.Write(w.buf)
	w.st.size += int64(n)
	w.block++
	w.buf = w.buf[:4]
	return err
}

// close writes the last block, which may be empty, and enters the run.
func (w *runWriter) close() error {
	if err := w.write(true); err != nil {
		return err
	}
	w.run.end = w.st.size
	w.st.runs = append(w.st.runs, w.run)
	return nil
}

var errAltered = errors.New("it was altered or is damaged")

// runReader reads the records of one run.
type runReader struct {
	file  file
	aead  cipher.AEAD
	run   extent
	at    int64
	block uint32
	buf   []byte // sealed and, in the same place, plain
	rest  []byte // of the plain bytes
	last  bool
	nonce [12]byte
}

func newRunReader(st *store, aead cipher.AEAD, run extent) *runReader {
	return &runReader{file: st.file, aead: aead, run: run, at: run.start}
}

// next returns the next record, valid until the next call, or io.EOF.
func (r *runReader) next() ([]byte, error) {
	for len(r.rest) == 0 {
		if r.last {
			return nil, io.EOF
		}
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	size, n := binary.Uvarint(r.rest)
	if n <= 0 || size > uint64(len(r.rest)-n) {
		return nil, errAltered
	}
	rec := r.rest[n : n+int(size) : n+int(size)]
	r.rest = r.rest[n+int(size):]
	return rec, nil
}

// open reads and opens the next block.
func (r *runReader) open() error {
	var head [4]byte
	if err := r.readAt(head[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size < int64(r.aead.Overhead()) || size > r.run.end-r.at || size > MaxRecord+blockSize {
		return errAltered
	}
	if int64(cap(r.buf)) < size {
		r.buf = make([]byte, max(size, blockSize+int64(r.aead.Overhead())))
	}
	r.buf = r.buf[:size]
	if err := r.readAt(r.buf); err != nil {
		return err
	}
	r.last = r.at == r.run.end
	plain, err := r.aead.Open(r.buf[:0], nonce(&r.nonce, r.run.number, r.block, r.last), r.buf, nil)
	if err != nil {
		return errAltered
	}
	r.block++
	r.rest = plain
	return nil
}

func (r *runReader) readAt(b []byte) error {
	n, err := r.file.ReadAt(b, r.at)
	r.at += int64(n)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errAltered
	}
	return fmt.Errorf("it cannot be read back: %w", err)
}
