package legacy

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/hint"
)

// Limits of an export in a .zip.
const (
	MaxZipDirectory = 8 << 20  // bytes of the list of entries
	MaxZipEntries   = 50_000   // files and folders
	MaxZipUnpacked  = 64 << 30 // bytes of all files together, unpacked
	MaxZipRatio     = 250      // bytes unpacked for one packed, of each file and of all

	zipRatioFrom = 1 << 20 // bytes unpacked below which the ratio does not matter
)

const zipAdvice = "pack the folder of the export again, with an ordinary zip program"

// zipShelf is an archive. Its entries are checked before any is read.
type zipShelf struct {
	below io.Closer // the file, and what decrypts it
	files map[string]*zip.File
}

func openZipFile(path string, size int64) (shelf, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the export cannot be opened: %w", err), "give an export that you may read")
	}
	s, err := openZip(f, size, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func openZip(r io.ReaderAt, size int64, below io.Closer) (shelf, error) {
	// The directory is all that is read here, and may be as long as an
	// attacker likes: reading ends at a limit.
	budget := &budgetReader{r: r, left: MaxZipDirectory}
	z, err := zip.NewReader(budget, size)
	if errors.Is(err, zip.ErrInsecurePath) {
		err = nil // zipName says it by name
	}
	switch {
	case budget.left < 0:
		return nil, hint.New(fmt.Sprintf("the list of entries of the zip has more than %d bytes", MaxZipDirectory), zipAdvice)
	case budget.err != nil:
		return nil, fmt.Errorf("the zip cannot be read: %w", budget.err)
	case err != nil:
		return nil, hint.New("the export is not a zip, or not a whole one", "copy the file again; "+zipAdvice)
	}
	budget.left = maxInt64
	s := &zipShelf{below: below}
	if s.files, err = checkZip(z.File, size); err != nil {
		return nil, err
	}
	return s, nil
}

const maxInt64 = 1<<63 - 1

// budgetReader reads so many bytes and no more.
type budgetReader struct {
	r    io.ReaderAt
	left int64
	err  error // of reading, which is not the archive's fault
}

var errBudget = errors.New("more is read than allowed")

func (b *budgetReader) ReadAt(p []byte, off int64) (int, error) {
	if b.left != maxInt64 {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, errBudget
		}
	}
	n, err := b.r.ReadAt(p, off)
	if err != nil && err != io.EOF && b.left != maxInt64 {
		b.err = err
	}
	return n, err
}

// checkZip refuses what an export has no reason to hold, and returns its files
// by name, the one folder that may surround them left out.
func checkZip(entries []*zip.File, size int64) (map[string]*zip.File, error) {
	if len(entries) > MaxZipEntries {
		return nil, hint.New(fmt.Sprintf("the zip has more than %d entries", MaxZipEntries), zipAdvice)
	}
	files, total := map[string]*zip.File{}, uint64(0)
	seen := map[string]string{}
	for _, f := range entries {
		name := strings.TrimSuffix(f.Name, "/")
		if err := checkZipEntry(f, name); err != nil {
			return nil, err
		}
		if first, ok := seen[strings.ToLower(name)]; ok {
			return nil, hint.New(fmt.Sprintf("the zip holds %q and %q", first, name), "remove the one that does not belong to it")
		}
		seen[strings.ToLower(name)] = name
		if f.Mode().IsDir() {
			continue
		}
		// The size is no more than MaxFile, and there are few entries.
		total += f.UncompressedSize64
		files[name] = f
	}
	switch {
	case total > MaxZipUnpacked:
		return nil, hint.New(fmt.Sprintf("the zip unpacks to %d bytes, %d is the limit", total, int64(MaxZipUnpacked)), "split the export")
	case total > zipRatioFrom && total/MaxZipRatio > uint64(size):
		return nil, hint.New(fmt.Sprintf("the zip unpacks to more than %d times its size", MaxZipRatio), "unpack it yourself if you trust it, and give the folder")
	}
	return withoutTop(files), nil
}

// checkZipEntry refuses an entry by what its header says of it.
func checkZipEntry(f *zip.File, name string) error {
	switch {
	case !plainPath(name):
		return hint.New(fmt.Sprintf("the zip holds %q, which is no plain name of a file", name), zipAdvice)
	case f.Mode().IsDir():
		return nil
	case !f.Mode().IsRegular():
		return hint.New(fmt.Sprintf("%s in the zip is not a regular file", name), zipAdvice)
	case f.Flags&1 != 0:
		return hint.New(fmt.Sprintf("%s in the zip is encrypted with a zip password, which is not read", name),
			"pack the export without a password and encrypt the zip with age: age -r RECIPIENT -o export.zip.age export.zip")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return hint.New(fmt.Sprintf("%s in the zip is packed by method %d; only deflate is read", name, f.Method), zipAdvice)
	case f.UncompressedSize64 > MaxFile:
		return hint.New(fmt.Sprintf("%s has %d bytes, %d is the limit", name, f.UncompressedSize64, int64(MaxFile)), "split the export")
	case f.UncompressedSize64 > zipRatioFrom && f.UncompressedSize64/MaxZipRatio > f.CompressedSize64:
		return hint.New(fmt.Sprintf("%s in the zip unpacks to more than %d times its size", name, MaxZipRatio), "unpack it yourself if you trust it, and give the folder")
	}
	return nil
}

// plainPath tells whether a name leads nowhere but down, on any system.
func plainPath(name string) bool {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || path.IsAbs(name) || path.Clean(name) != name ||
		name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, `\:`) {
		return false
	}
	return !strings.ContainsFunc(name, unicode.IsControl)
}

// macFolder is what macOS puts beside the files that it packs.
const macFolder = "__MACOSX/"

// withoutTop takes the one folder away that all files lie in.
func withoutTop(files map[string]*zip.File) map[string]*zip.File {
	top := ""
	for name := range files {
		if strings.HasPrefix(name, macFolder) {
			continue
		}
		dir, _, nested := strings.Cut(name, "/")
		if !nested || top != "" && dir != top {
			return files
		}
		top = dir
	}
	if top == "" || strings.EqualFold(top, soapFolder) {
		return files
	}
	inner := map[string]*zip.File{}
	for name, f := range files {
		inner[strings.TrimPrefix(name, top+"/")] = f
	}
	return inner
}

func (s *zipShelf) each(dir string, visit func(string, bool) error) error {
	var last string
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		rest := name
		if dir != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(name, dir+"/"); !ok {
				continue
			}
		}
		first, _, isDir := strings.Cut(rest, "/")
		if isDir && first == last {
			continue
		}
		if isDir {
			last = first
		}
		if err := visit(joined(dir, first), isDir); err != nil {
			return err
		}
	}
	return nil
}

func (s *zipShelf) open(name string) (io.ReadCloser, error) {
	f := s.files[name]
	if f == nil {
		return nil, hint.New(strings.ToLower(name)+" is not a regular file", zipAdvice)
	}
	r, err := f.Open()
	if err != nil {
		return nil, hint.New(strings.ToLower(name)+" cannot be found in the zip, which is damaged", "copy the file again; "+zipAdvice)
	}
	return &zipEntry{ReadCloser: r, name: strings.ToLower(name), left: f.UncompressedSize64}, nil
}

func (s *zipShelf) Close() error { return s.below.Close() }

// zipEntry is an entry that is read. Its header may have lied about its size.
type zipEntry struct {
	io.ReadCloser
	name string
	left uint64
}

func (e *zipEntry) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	switch {
	case uint64(n) > e.left, errors.Is(err, zip.ErrFormat):
		return 0, hint.New(e.name+" in the zip is longer than the zip says", zipAdvice)
	case errors.Is(err, zip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		return 0, hint.New(e.name+" in the zip is damaged: its end is missing or its checksum is another one", "copy the file again; "+zipAdvice)
	case err != nil && err != io.EOF:
		return 0, hint.Wrap(fmt.Errorf("%s in the zip cannot be unpacked: %w", e.name, err), "copy the file again; "+zipAdvice)
	}
	e.left -= uint64(n)
	return n, err
}
