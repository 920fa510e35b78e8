package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// Each - takes one line of what is piped in, and leaves the others to the next.
func TestLinesPipedIn(t *testing.T) {
	p := &program{streams: streams{in: strings.NewReader("one\ntwo\nthree"), err: io.Discard}}
	for _, want := range []string{"one\n", "two\n", "three", ""} {
		got, err := p.secretText(t.Context(), "Secret: ", "-")
		if err != nil || string(got.Reveal()) != want {
			t.Errorf("%q, %v, where %q is next", got.Reveal(), err, want)
		}
	}
	if _, err := p.line(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the input is %v", err)
	}
}

// A signal ends the wait for a line that does not come.
func TestLineThatDoesNotCome(t *testing.T) {
	never, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &program{streams: streams{in: never, err: io.Discard}}
	if _, err := p.secretText(ctx, "Secret: ", "-"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
