package spill

import "io"

// File is what a sorter needs of a temporary file.
type File interface {
	io.ReaderAt
	io.Writer
	io.Closer
}

// NewOn is New with temporary files made by create.
func NewOn(memory int, create func() (File, error)) *Sorter {
	s := New(Options{Memory: memory})
	s.create = func() (file, error) { return create() }
	return s
}
