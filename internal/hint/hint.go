// Package hint attaches advice to an error: what the person who reads it can
// do next. The advice is not part of the error's text; the command prints it
// on a line of its own ("mfabridge: hint: …"). It survives wrapping with %w, so
// that nobody needs to hand it on.
package hint

import "errors"

type hinted struct {
	err    error
	advice string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Wrap adds advice to err. A nil err stays nil.
func Wrap(err error, advice string) error {
	if err == nil {
		return nil
	}
	return &hinted{err: err, advice: advice}
}

// Default adds advice to err unless err has some: who was nearer to the cause
// knows better. A nil err stays nil.
func Default(err error, advice string) error {
	if Of(err) != "" {
		return err
	}
	return Wrap(err, advice)
}

// New makes an error with advice.
func New(message, advice string) error {
	return &hinted{err: errors.New(message), advice: advice}
}

// Of returns the outermost advice in err's chain, or "".
func Of(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.advice
	}
	return ""
}
