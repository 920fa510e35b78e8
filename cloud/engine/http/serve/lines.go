package serve

import (
	"encoding/json"
	"net/http"
	"time"

	"mfabridge/cloud/engine/http/wire"
)

// Of an answer of many lines: how long the next ones may take to be taken, and
// how many go out between two looks at that.
const (
	lineLimit = 30 * time.Second
	lineBatch = 256
)

// Lines is an answer of one JSON value a line whose last line says that it is
// the last: an answer without it was cut off.
type Lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	encoder *json.Encoder
	n       int
}

// NewLines begins an answer. Nothing is written before the first line.
func NewLines(w http.ResponseWriter) *Lines {
	return &Lines{w: w, control: http.NewResponseController(w), encoder: json.NewEncoder(w)}
}

// Put writes a line; an error: nobody listens any more.
func (l *Lines) Put(line any) error {
	if l.n == 0 {
		l.w.Header().Set("Content-Type", wire.MediaLines)
	}
	if l.n++; l.n%lineBatch == 0 {
		if err := l.control.SetWriteDeadline(time.Now().Add(lineLimit)); err != nil {
			return err
		}
	}
	return l.encoder.Encode(line)
}

// Fail ends the answer with an error: as one with a status of its own if
// nothing was written yet, else by a last line that tells it.
func (l *Lines) Fail(err error, last any) error {
	if l.n == 0 {
		return err
	}
	_ = l.Put(last) // who hung up hears nothing
	return nil
}

// Last ends the answer.
func (l *Lines) Last(line any) error {
	_ = l.Put(line) // who hung up hears nothing
	return nil
}
