package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// secretText is a secret from where ref says: file:PATH, env:NAME, or - for the
// next line of the standard input. Without a ref it is asked for, where there
// is somebody to ask.
func (p *program) secretText(ctx context.Context, prompt, ref string) (secret.Bytes, error) {
	stdin := p.keyboard()
	switch {
	case ref == "" && stdin != nil:
		return p.hidden(ctx, stdin, prompt)
	case ref == "" || ref == "-":
		line, err := p.line(ctx)
		if errors.Is(err, io.EOF) {
			err = nil // whoever wants the secret says what is wrong with an empty one
		}
		return secret.New(line), err
	default:
		return secret.Load(ref)
	}
}

// keyboard is the terminal that somebody types on; nil: there is none.
func (p *program) keyboard() *os.File {
	if stdin, isFile := p.in.(*os.File); isFile && term.IsTerminal(int(stdin.Fd())) {
		return stdin
	}
	return nil
}

// errNothingTyped tells that somebody who was asked ended the input (Ctrl-D).
var errNothingTyped = hint.New("nothing was typed: the input has ended", "type it and press Enter; Ctrl-C ends the command")

// hidden asks for what is not shown as it is typed. Whoever presses Ctrl-C or
// Ctrl-D instead gets a terminal back that shows what is typed.
func (p *program) hidden(ctx context.Context, terminal *os.File, prompt string) (secret.Bytes, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Bytes{}, err
	}
	fmt.Fprint(p.err, prompt)
	text, err := unlessEnded(ctx, func() ([]byte, error) { return readHidden(terminal) })
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(fd, before))
	}
	fmt.Fprintln(p.err)
	return secret.New(text), err
}

// line reads the next line of the standard input, io.EOF where there is none,
// and no more of it than a secret may have.
func (p *program) line(ctx context.Context) ([]byte, error) {
	if p.lines == nil {
		p.lines = bufio.NewReader(p.in)
	}
	return unlessEnded(ctx, func() (line []byte, err error) {
		for len(line) < secret.MaxFile {
			b, err := p.lines.ReadByte()
			if errors.Is(err, io.EOF) && len(line) > 0 {
				return line, nil
			}
			if err != nil {
				return nil, err
			}
			if line = append(line, b); b == '\n' {
				return line, nil
			}
		}
		return line, nil
	})
}

// unlessEnded returns what read returns, or ctx's error at once where that ends
// before: a signal does not end a read, which then goes on for nobody.
func unlessEnded[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := read()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
