// Package regular opens regular files only: what is read at a start, or again by a
// service that runs. A named pipe in the place of one would have it wait, maybe for
// ever and deaf to signals, for who writes to it; and what came through it once is
// not there the next time.
//
//	f, err := regular.Open(path)
//	pair, err := regular.Pair("shim.pem", "shim.key")
//
// Errors are those of os, with [ErrOther] for what is there and is no regular file.
package regular

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrOther is that something is no regular file: a pipe, a folder, a device.
var ErrOther = errors.New("not a regular file")

// Most is the largest file that is read whole, in bytes.
const Most = 8 << 20

// Open opens a file to read it.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // which waits for no writer of a pipe
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrOther}
	}
	if err != nil {
		_ = f.Close() // nothing was read
		return nil, err
	}
	return f, nil
}

// Read reads a file whole.
func Read(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, Most+1))
	if err == nil && len(b) > Most {
		err = fmt.Errorf("%s is larger than %d bytes", path, Most)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Pair reads a certificate with its chain and its key out of PEM files.
func Pair(cert, key string) (tls.Certificate, error) {
	chain, err := Read(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := Read(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	defer clear(private)
	return tls.X509KeyPair(chain, private)
}
