package main

import (
	"bytes"
	"io"
	"os"
)

// What journald takes for a line's level, in front of it (sd-daemon(3)).
const (
	journalError   = "<3>"
	journalWarning = "<4>"
	journalInfo    = "<6>"
	journalDebug   = "<7>"
)

// maxLevelAt is how far from the start of a line of JSON its level begins at most.
const maxLevelAt = 64

// leveled is f, and if journald reads it, one that tells it of each line how bad
// it is, so that journalctl --priority finds what matters.
func leveled(f *os.File) io.Writer {
	if journalled(f) {
		return levels{f}
	}
	return f
}

// levels puts a level before each line.
type levels struct{ w io.Writer }

// Write takes whole lines. One that says nothing of its level is like the one
// before it.
func (l levels) Write(lines []byte) (int, error) {
	told := make([]byte, 0, len(lines)+len(lines)/32+len(journalInfo))
	level := journalInfo
	for line := range bytes.Lines(lines) {
		level = levelOf(line, level)
		told = append(append(told, level...), line...)
	}
	if _, err := l.w.Write(told); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// levelOf is the level of one line: of the log, or of what commands say.
func levelOf(line []byte, before string) string {
	if said, ok := bytes.CutPrefix(line, []byte("mfabridge: ")); ok {
		switch {
		case bytes.HasPrefix(said, []byte("error: ")), bytes.HasPrefix(said, []byte("hint: ")):
			return journalError
		case bytes.HasPrefix(said, []byte("warning: ")):
			return journalWarning
		}
		return journalInfo
	}
	if !bytes.HasPrefix(line, []byte("{")) {
		return before
	}
	_, level, _ := bytes.Cut(line[:min(len(line), maxLevelAt)], []byte(`"level":"`))
	switch {
	case bytes.HasPrefix(level, []byte("ERROR")):
		return journalError
	case bytes.HasPrefix(level, []byte("WARN")):
		return journalWarning
	case bytes.HasPrefix(level, []byte("DEBUG")):
		return journalDebug
	}
	return journalInfo
}
