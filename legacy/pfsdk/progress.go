package pfsdk

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mfabridge/internal/hint"
)

// Names within the folder of a pull that is not finished.
const (
	partialSuffix  = ".partial"
	progressFile   = "progress.jsonl"
	progressFormat = "mfabridge-pull"
)

// progress is what a pull has so far: a file of lines, each whole or, if it is
// the last, left out. It holds secrets, as the export will.
type progress struct {
	folder string
	header header

	mu    sync.Mutex
	file  *os.File
	end   int64
	where map[string]int64 // folded Username: where the user's line begins
}

// header is the first line: what the pull is of. All users stand in it, so that
// a pull that goes on asks for the same ones.
type header struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	URL       string    `json:"url"`
	Created   time.Time `json:"created"`
	Skipped   []string  `json:"skipped,omitempty"` // what is not asked for
	Usernames []string  `json:"usernames"`
	Warnings  []string  `json:"warnings,omitempty"`
	Defaults  values    `json:"defaults,omitempty"`
	Portal    values    `json:"portal,omitempty"`
}

// values are names and values in the order of the answer.
type values [][2]string

func (v values) get(name string) string {
	for _, pair := range v {
		if pair[0] == name {
			return pair[1]
		}
	}
	return ""
}

// line is one user.
type line struct {
	Username string   `json:"u"`
	Gone     bool     `json:"gone,omitempty"` // not there any more
	Fields   values   `json:"f,omitempty"`
	Devices  []values `json:"d,omitempty"`
}

// openProgress opens the progress of an earlier run. Without one it returns nil.
func openProgress(out, url string, skipped []string) (*progress, error) {
	folder := out + partialSuffix
	path := filepath.Join(folder, progressFile)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the earlier pull cannot be gone on with: %w", err)
	}
	p := &progress{folder: folder, file: file, where: map[string]int64{}}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := p.load(url, skipped); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

// load reads the lines. What a crash left of the last one is cut off.
func (p *progress) load(url string, skipped []string) error {
	advice := "remove " + p.folder + " to begin anew, or give another -o"
	in := bufio.NewReaderSize(p.file, 1<<20)
	first, err := in.ReadBytes('\n')
	if err != nil {
		return hint.New(filepath.Join(p.folder, progressFile)+" is not the progress of a pull", advice)
	}
	if err := json.Unmarshal(first, &p.header); err != nil || p.header.Format != progressFormat || p.header.Version != 1 {
		return hint.New(filepath.Join(p.folder, progressFile)+" is not the progress of a pull that this version can go on with", advice)
	}
	if p.header.URL != url || fmt.Sprint(p.header.Skipped) != fmt.Sprint(skipped) {
		return hint.New(fmt.Sprintf("%s is of a pull from %s with other settings", p.folder, p.header.URL), advice)
	}
	known := make(map[string]bool, len(p.header.Usernames))
	for _, name := range p.header.Usernames {
		known[fold(name)] = true
	}
	for p.end = int64(len(first)); ; {
		b, err := in.ReadBytes('\n')
		if err == io.EOF {
			return p.file.Truncate(p.end)
		}
		if err != nil {
			return err
		}
		var l line
		if json.Unmarshal(b, &l) != nil || !known[fold(l.Username)] {
			return hint.New(filepath.Join(p.folder, progressFile)+" is damaged", advice)
		}
		p.where[fold(l.Username)] = p.end
		p.end += int64(len(b))
		clear(b)
	}
}

// beginProgress makes the folder and writes the header.
func beginProgress(out string, h header) (*progress, error) {
	folder := out + partialSuffix
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, hint.Wrap(fmt.Errorf("the export cannot be written: %w", err), "give a -o whose parent folder is there and may be written")
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, progressFile), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	p := &progress{folder: folder, header: h, file: file, where: map[string]int64{}}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := p.append(h); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if err := file.Sync(); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return p, nil
}

func (p *progress) append(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	n, err := p.file.WriteAt(b, p.end)
	clear(b)
	if err != nil {
		return fmt.Errorf("the progress cannot be written: %w", err)
	}
	p.end += int64(n)
	return nil
}

// done keeps a user.
func (p *progress) done(l line) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.end
	if err := p.append(l); err != nil {
		return err
	}
	p.where[fold(l.Username)] = at
	return nil
}

// has tells whether a user was asked for.
func (p *progress) has(username string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.where[fold(username)]
	return ok
}

// user reads back what was kept. ok is false if nothing was.
func (p *progress) user(username string) (l line, ok bool, err error) {
	at, ok := p.where[fold(username)]
	if !ok {
		return l, false, nil
	}
	b, err := bufio.NewReader(io.NewSectionReader(p.file, at, p.end-at)).ReadBytes('\n')
	if err != nil {
		return l, false, err
	}
	err = json.Unmarshal(b, &l)
	clear(b)
	if err != nil || l.Username != username {
		return l, false, hint.New(filepath.Join(p.folder, progressFile)+" was changed while it was used", "remove "+p.folder+" and pull again")
	}
	return l, true, nil
}

func (p *progress) Close() error { return p.file.Close() }
