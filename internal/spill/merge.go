package spill

import (
	"bytes"
	"crypto/cipher"
	"io"
)

// source is a run with its next record.
type source struct {
	prefix uint64
	rec    []byte
	run    *runReader
}

func (s *source) before(t *source) bool {
	if s.prefix != t.prefix {
		return s.prefix < t.prefix
	}
	return bytes.Compare(s.rec, t.rec) < 0
}

// advance reads the next record; false at the end of the run.
func (s *source) advance() (bool, error) {
	rec, err := s.run.next()
	if err == io.EOF {
		return false, nil
	}
	s.rec, s.prefix = rec, prefix(rec)
	return err == nil, err
}

// heap has the source with the smallest record first.
type heap []*source

func (h heap) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// merge visits the records of all runs in order until visit returns false.
func (st *store) merge(aead cipher.AEAD, visit func([]byte) bool) error {
	h, err := st.open(aead)
	if err != nil {
		return err
	}
	for len(h) > 0 && visit(h[0].rec) {
		ok, err := h[0].advance()
		if err != nil {
			return err
		}
		if !ok {
			h[0] = h[len(h)-1]
			h = h[:len(h)-1]
		}
		h.down(0)
	}
	return nil
}

// open starts reading all runs.
func (st *store) open(aead cipher.AEAD) (heap, error) {
	h := make(heap, 0, len(st.runs))
	for _, run := range st.runs {
		s := &source{run: newRunReader(st, aead, run)}
		ok, err := s.advance()
		if err != nil {
			return nil, err
		}
		if ok {
			h = append(h, s)
		}
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	return h, nil
}
