//go:build !linux

package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

// readHidden reads a line that is not shown as it is typed.
func readHidden(terminal *os.File) ([]byte, error) {
	text, err := term.ReadPassword(int(terminal.Fd()))
	if errors.Is(err, io.EOF) {
		err = errNothingTyped
	}
	return text, err
}
