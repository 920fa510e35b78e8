package legacy

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"filippo.io/age"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/internal/spill"
)

// Options of Open; the zero value is usable.
type Options struct {
	// Map gives columns of the export the meaning of one of ours: their header
	// leads to our name. Both are compared as headers are.
	Map map[string]string

	// SecretFormat is what a secret is written in that does not say so itself:
	// FormatBase32, FormatHex, FormatBase64, or empty. See DecodeSeed.
	SecretFormat string

	// Encoding is how tables are written that have no byte order mark:
	// EncodingUTF8, EncodingUTF16, EncodingWindows1252; empty: UTF-8. A mark
	// always counts.
	Encoding string

	// Identities and Passphrase open a .zip.age. One of them is enough.
	Identities []age.Identity
	Passphrase secret.Bytes

	// PSKCKey and PSKCPassphrase open encrypted files of tokens (RFC 6030), see
	// pskc.Options.
	PSKCKey        secret.Bytes
	PSKCPassphrase secret.Bytes

	// TempDir is the folder for sealed temporary files; empty: the system's.
	TempDir string

	// Progress is called by Open from time to time and at the end, with the
	// number of rows read so far from all tables. Nil: nobody is told.
	Progress func(rows int64)
}

// Summary counts what an export holds.
type Summary struct {
	Source  string       // as the manifest says it
	Created time.Time    // zero: not said
	Files   []FileDigest // in the order read

	Rows        int64 // rows of users, readable or not
	Users       int64 // users that Users yields
	SkippedRows int64 // rows of any table that are left out as ROW_INVALID
	SkippedOwn  int64 // of these, rows of users
	Duplicates  int64 // Usernames that several rows have

	// Of the users that are yielded:
	Devices           int64
	DevicesWithSecret int64 // with a usable code secret
	Tokens            int64
	TokensWithSecret  int64

	// LeftOut are devices and tokens of users that are in the export but are
	// not yielded.
	LeftOut int64

	Activity ActivitySummary

	Problems map[Code]int64 // occurrences
}

// DuplicateRows are the rows of users that can be read and are left out for
// their Username, which another row has too. Every row of users is one of
// these, one of SkippedOwn, or one of Users.
func (s Summary) DuplicateRows() int64 { return s.Rows - s.Users - s.SkippedOwn }

// FileDigest is one file that was read.
type FileDigest struct {
	Name   string
	SHA256 string // hexadecimal
	Bytes  int64
}

// Export is an opened export. It holds temporary files and must be closed. It
// is not for concurrent use.
type Export struct {
	folder   *folder
	options  Options
	mapping  map[string]string // folded header: our name
	summary  Summary
	settings Settings
	methods  []string      // of activity
	users    []FileDigest  // of the files of users, then of answers
	attached *spill.Sorter // devices and tokens by the ordinal of their user
	problems *problems
}

// Open reads all tables of an export once: it checks every row, finds
// duplicate users, and joins devices and tokens to their users. What is wrong
// with a row is a Problem and not an error. Errors say that the export as a
// whole cannot be read; they carry a hint.
func Open(ctx context.Context, path string, o Options) (*Export, error) {
	mapping, err := o.check()
	if err != nil {
		return nil, err
	}
	f, err := openFolder(path, o)
	if err != nil {
		return nil, err
	}
	e := &Export{
		folder:   f,
		options:  o,
		mapping:  mapping,
		attached: spill.New(spill.Options{Dir: o.TempDir, Memory: attachedMemory}),
		problems: newProblems(o.TempDir, f.parts),
	}
	if err := e.load(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// check refuses options that could never do what they say.
func (o Options) check() (map[string]string, error) {
	switch o.SecretFormat {
	case "", FormatBase32, FormatHex, FormatBase64:
	default:
		return nil, hint.New(fmt.Sprintf("secret format %q is unknown", o.SecretFormat), "use base32, hex or base64")
	}
	switch o.Encoding {
	case "", EncodingUTF8, EncodingUTF16, EncodingWindows1252:
	default:
		return nil, hint.New(fmt.Sprintf("encoding %q is unknown", o.Encoding), "use utf-8, utf-16 or windows-1252")
	}
	mapping := map[string]string{}
	for _, theirs := range slices.Sorted(maps.Keys(o.Map)) {
		ours, folded := o.Map[theirs], foldHeader(theirs)
		known := slices.ContainsFunc(schemas(), func(s schema) bool { return s.find(foldHeader(ours)) >= 0 })
		switch _, twice := mapping[folded]; {
		case !known:
			return nil, hint.New(fmt.Sprintf("column %q cannot be mapped to %q, which no table has", theirs, ours), "see docs/export.md for the names of columns")
		case twice:
			return nil, hint.New(fmt.Sprintf("column %q is mapped twice", theirs), "map it once; upper case, spaces, _ and - do not tell columns apart")
		}
		mapping[folded] = ours
	}
	return mapping, nil
}

// Summary returns the counts.
func (e *Export) Summary() Summary {
	s := e.summary
	s.Files = slices.Clone(s.Files)
	s.Problems = maps.Clone(e.problems.counts)
	s.Activity.Applications = slices.Clone(s.Activity.Applications)
	return s
}

// Settings returns what settings.json says; the zero value without one.
func (e *Export) Settings() Settings { return e.settings }

// Problems yields everything that is wrong with the export and belongs to no
// user that Users yields: by file, line and column. It may be called again.
func (e *Export) Problems() iter.Seq2[Problem, error] { return e.problems.all() }

// Close removes the temporary files and closes the export. Iterations that are still going on end
// with an error. It may be called twice.
func (e *Export) Close() error {
	var err error
	if e.folder.shelf != nil {
		err = e.folder.shelf.Close()
		e.folder.shelf = nil
	}
	return errors.Join(e.attached.Close(), e.problems.sorter.Close(), err)
}
