package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"
)

// output is where results go. It remembers that it could not be written: most
// lines are printed without a look at the error, and a command whose result is
// lost must not end as if all were well. Several may write: events of a server
// come between the lines of the command that runs it.
type output struct {
	w io.Writer

	mu  sync.Mutex
	err error
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		o.err = fmt.Errorf("the output cannot be written: %w", err)
	}
	return n, o.err
}

// unread tells that whoever read the output has gone, as head does when it has
// enough: nothing to complain about.
func unread(err error) bool { return errors.Is(err, syscall.EPIPE) }

// silent tells an error after which nothing is to be said.
func silent(err error) bool {
	e, ok := errors.AsType[*exit](err)
	return err == nil || ok && e.err == nil
}
