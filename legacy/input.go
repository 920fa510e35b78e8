package legacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"mfabridge/internal/hint"
)

// input is a file that is read from start to end, with the digest of its
// bytes as they lie there.
type input struct {
	ctx  context.Context
	name string
	file io.ReadCloser
	sum  hash.Hash
	size int64

	failed error // of reading
}

// open opens a part of the export.
func (f *folder) open(ctx context.Context, p part) (*input, error) {
	if f.shelf == nil {
		return nil, errClosed
	}
	file, err := f.shelf.open(p.written)
	if err != nil {
		return nil, err
	}
	return &input{ctx: ctx, name: p.name, file: file, sum: sha256.New()}, nil
}

// Read honours the context and keeps the digest.
func (in *input) Read(b []byte) (int, error) {
	n, err := in.read(b)
	if err != nil && err != io.EOF {
		in.failed = err
	}
	return n, err
}

func (in *input) read(b []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.file.Read(b)
	in.sum.Write(b[:n])
	in.size += int64(n)
	switch {
	case in.size > MaxFile:
		return n, fmt.Errorf("%s has more than %d bytes", in.name, int64(MaxFile))
	case err != nil && err != io.EOF && hint.Of(err) == "": // an archive says by itself which file it is
		return n, fmt.Errorf("%s cannot be read: %w", in.name, err)
	}
	return n, err
}

func (in *input) Close() error { return in.file.Close() }

// digest is that of what was read so far.
func (in *input) digest() FileDigest {
	return FileDigest{Name: in.name, SHA256: hex.EncodeToString(in.sum.Sum(nil)), Bytes: in.size}
}

// unchanged reads what is left and refuses a file that is not the one that
// was read before.
func (in *input) unchanged(before FileDigest) error {
	d, err := in.finish()
	if err == nil && d != before {
		err = hint.New(in.name+" changed while it was read", "start again when nothing writes to the export any more")
	}
	return err
}

// finish reads what is left, so that the digest is that of the whole file.
func (in *input) finish() (FileDigest, error) {
	if _, err := io.Copy(io.Discard, in); err != nil {
		return FileDigest{}, err
	}
	return in.digest(), nil
}
