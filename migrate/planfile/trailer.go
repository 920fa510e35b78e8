package planfile

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"mfabridge/internal/secret"
)

// The last line of a plan file. SQLite reads no further than its last page.
const (
	trailerIntro = "\nmfabridge-plan-mac "
	trailerForm  = trailerIntro + "%d hmac-sha256 %s\n"
	trailerSize  = len(trailerIntro) + len("1 hmac-sha256 ") + 2*sha256.Size + 1

	sqliteMagic = "SQLite format 3\x00"
	readBlock   = 1 << 20
)

// ErrAltered means that a plan file is not what it was when it was made.
var ErrAltered = errors.New("the plan was altered after it was made")

// sums is what one pass over a plan file finds.
type sums struct {
	mac    []byte // as it should be; nil without a key
	stated []byte // as the last line says
	digest string // of the whole file
}

// appendTrailer writes the last line behind the database in f and returns the
// digest of the whole.
func appendTrailer(f *os.File, mac secret.Bytes) (digest string, err error) {
	sum := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{f}, make([]byte, readBlock)); err != nil {
		return "", err
	}
	line := fmt.Sprintf(trailerForm, Version, hex.EncodeToString(macOf(mac, sum.Sum(nil))))
	if _, err := io.WriteString(io.MultiWriter(f, sum), line); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// macOf is the MAC of a plan file: over the digest of everything before the
// last line, so that the file is hashed once.
func macOf(key secret.Bytes, digest []byte) []byte {
	m := hmac.New(sha256.New, key.Reveal())
	m.Write(digest)
	return m.Sum(nil)
}

// readSums reads all of f once. A file that is not a plan at all, or was cut
// short, is an error; whether the MACs are equal is for the caller to say.
func readSums(f *os.File, mac secret.Bytes) (sums, error) {
	stated, line, body, err := readTrailer(f)
	if err != nil {
		return sums{}, err
	}
	w := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(f, 0, body), make([]byte, readBlock)); err != nil {
		return sums{}, err
	}
	s := sums{stated: stated}
	if !mac.IsZero() {
		s.mac = macOf(mac, w.Sum(nil))
	}
	w.Write(line)
	s.digest = hex.EncodeToString(w.Sum(nil))
	return s, nil
}

// readTrailer reads the first bytes of f and its last line. What is no plan
// file, or was cut short, is an error.
func readTrailer(f *os.File) (stated []byte, line []byte, body int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, 0, errors.New("it is not a regular file")
	}
	body = info.Size() - int64(trailerSize)
	if body < int64(len(sqliteMagic)) {
		return nil, nil, 0, errors.New("it is not a plan file, or was cut short")
	}
	start := make([]byte, len(sqliteMagic))
	line = make([]byte, trailerSize)
	if _, err := f.ReadAt(start, 0); err != nil {
		return nil, nil, 0, err
	}
	if _, err := f.ReadAt(line, body); err != nil {
		return nil, nil, 0, err
	}
	if string(start) != sqliteMagic {
		return nil, nil, 0, errors.New("it is not a plan file")
	}
	stated, err = parseTrailer(string(line))
	return stated, line, body, err
}

// parseTrailer returns the MAC that the last line states.
func parseTrailer(line string) ([]byte, error) {
	rest, ok := strings.CutPrefix(line, trailerIntro)
	if !ok {
		return nil, errors.New("its last line is not that of a plan file: it was cut short, or something was added")
	}
	rest, ok = strings.CutSuffix(rest, "\n")
	if !ok {
		return nil, errors.New("its last line was altered")
	}
	version, rest, ok := strings.Cut(rest, " ")
	if ok && len(version) == 1 && version[0] > '0'+Version && version[0] <= '9' {
		return nil, tooNew("it", int64(version[0]-'0'))
	}
	text, ok1 := strings.CutPrefix(rest, "hmac-sha256 ")
	b, err := hex.DecodeString(text)
	if !ok || version != fmt.Sprint(Version) || !ok1 || err != nil || len(b) != sha256.Size || text != hex.EncodeToString(b) {
		return nil, errors.New("its last line was altered")
	}
	return b, nil
}
