package legacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mfabridge/internal/hint"
)

// maxOthers is how many files that are not read are named one by one.
const maxOthers = 100

// folder is an export as it lies there.
type folder struct {
	path   string
	files  map[string]string // our name of a file: its name as it is written there
	others []string          // what is not read, sorted
	more   int               // how many others are not named
}

// openFolder lists an export.
func openFolder(path string) (*folder, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hint.New("there is no export "+path, "give the folder that holds "+usersFile)
	case err != nil:
		return nil, hint.Wrap(fmt.Errorf("the export cannot be opened: %w", err), "give a folder that you may read")
	case !info.IsDir():
		return nil, hint.New(path+" is a file; this version reads an export from a folder", "give the folder that holds "+usersFile)
	}
	d, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the export cannot be opened: %w", err), "give a folder that you may read")
	}
	defer d.Close()
	f := &folder{path: path, files: map[string]string{}}
	for {
		entries, err := d.ReadDir(1000)
		for _, e := range entries {
			if err := f.enter(e); err != nil {
				return nil, err
			}
		}
		if err == io.EOF {
			slices.Sort(f.others)
			return f, f.check()
		}
		if err != nil {
			return nil, fmt.Errorf("the export cannot be listed: %w", err)
		}
	}
}

func (f *folder) enter(e fs.DirEntry) error {
	ours := strings.ToLower(e.Name())
	switch ours {
	case usersFile, devicesFile, tokensFile, manifestFile:
		if first, ok := f.files[ours]; ok {
			return hint.New(fmt.Sprintf("the export holds both %s and %s", first, e.Name()), "remove the one that does not belong to it")
		}
		f.files[ours] = e.Name()
	default:
		if len(f.others) == maxOthers {
			f.more++
			return nil
		}
		f.others = append(f.others, e.Name())
	}
	return nil
}

func (f *folder) check() error {
	if f.files[usersFile] != "" {
		return nil
	}
	for _, name := range f.others {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "users.") {
			return hint.New(fmt.Sprintf("%s holds no %s, and %q is not read by this version", f.path, usersFile, name), "export the users as CSV")
		}
	}
	return hint.New(fmt.Sprintf("%s holds no %s", f.path, usersFile), "give the folder that holds the tables of the export")
}

// notRead are the problems that name what is not read.
func (f *folder) notRead() []Problem {
	var all []Problem
	for _, name := range f.others {
		all = append(all, Problem{Code: FileNotRead, Place: Place{File: name}, Detail: "this version does not read this file"})
	}
	if f.more > 0 {
		all = append(all, Problem{Code: FileNotRead, Detail: fmt.Sprintf("%d more files are not read by this version", f.more)})
	}
	return all
}

// has tells whether there is a file of ours.
func (f *folder) has(name string) bool { return f.files[name] != "" }

// input is a file that is read from start to end, with its digest.
type input struct {
	ctx  context.Context
	name string
	file *os.File
	sum  hash.Hash
	size int64
}

// open opens a file of ours. Only a regular file has a size and an end.
func (f *folder) open(ctx context.Context, name string) (*input, error) {
	path := filepath.Join(f.path, f.files[name])
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, hint.Wrap(fmt.Errorf("%s cannot be read: %w", name, err), "look at the folder of the export and who may read it")
	case !info.Mode().IsRegular():
		return nil, hint.New(name+" is not a regular file", "put the file itself into the folder of the export")
	case info.Size() > MaxFile:
		return nil, hint.New(fmt.Sprintf("%s has %d bytes, %d is the limit", name, info.Size(), int64(MaxFile)), "split the export")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s cannot be read: %w", name, err), "look at who may read the export")
	}
	return &input{ctx: ctx, name: name, file: file, sum: sha256.New()}, nil
}

// Read honours the context and keeps the digest.
func (in *input) Read(b []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.file.Read(b)
	in.sum.Write(b[:n])
	in.size += int64(n)
	switch {
	case in.size > MaxFile:
		return n, fmt.Errorf("%s has more than %d bytes", in.name, int64(MaxFile))
	case err != nil && err != io.EOF:
		return n, fmt.Errorf("%s cannot be read: %w", in.name, err)
	}
	return n, err
}

func (in *input) Close() error { return in.file.Close() }

// digest is that of what was read so far.
func (in *input) digest() FileDigest {
	return FileDigest{Name: in.name, SHA256: hex.EncodeToString(in.sum.Sum(nil)), Bytes: in.size}
}
