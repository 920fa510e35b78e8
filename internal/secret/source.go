package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
)

// MaxFile is the largest secret file that is read, in bytes.
const MaxFile = 64 << 10

// Load reads a secret from where ref says: "file:PATH" or "env:NAME". One
// line end at the end of a file is not part of the secret. A file that others
// than its owner may read is refused, and so is an empty secret. The error
// names the place, never the value; a ref without a known prefix is not
// quoted, because it may be the secret itself.
func Load(ref string) (Bytes, error) {
	switch kind, rest, ok := strings.Cut(ref, ":"); {
	case ok && kind == "file":
		return ReadFile(rest)
	case ok && kind == "env":
		value := os.Getenv(rest)
		if value == "" {
			return Bytes{}, hint.New(fmt.Sprintf("environment variable %s is empty or not set", rest),
				"export "+rest+" before the command, or use file:PATH")
		}
		return FromString(value), nil
	default:
		return Bytes{}, hint.Wrap(ErrNoReference, "put it into a file that only you can read, and give file:PATH")
	}
}

// ErrNoReference is what is wrong with a ref that does not say where a secret
// is.
var ErrNoReference = errors.New("a secret must be given as file:PATH or env:NAME, never as itself")

// IsReference tells whether ref says where a secret is, be it there or not.
func IsReference(ref string) bool {
	return strings.HasPrefix(ref, "file:") || strings.HasPrefix(ref, "env:")
}

// ReadFile reads a secret from a file that nobody but its owner may read.
func ReadFile(path string) (Bytes, error) {
	f, err := regular.Open(path)
	if errors.Is(err, regular.ErrOther) {
		return Bytes{}, errors.New(path + " is not a regular file")
	}
	if err != nil {
		return Bytes{}, hint.Wrap(fmt.Errorf("secret file cannot be opened: %w", err), "name a file that is there and that only you can read")
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return Bytes{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	switch {
	case err != nil:
		return Bytes{}, fmt.Errorf("secret file %s cannot be read: %w", path, err)
	case len(b) > MaxFile:
		return Bytes{}, fmt.Errorf("secret file %s is larger than %d bytes", path, MaxFile)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return Bytes{}, hint.New("secret file "+path+" is empty", "write the secret into it, on one line")
	}
	return New(b), nil
}

// checkPrivate refuses a file that its group or everybody may read.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return hint.New(fmt.Sprintf("%s may be read by others (mode %04o)", f.Name(), info.Mode().Perm()),
			"chmod 600 "+f.Name())
	}
	return nil
}
