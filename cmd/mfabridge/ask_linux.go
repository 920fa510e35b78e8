package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"mfabridge/internal/secret"
)

// readHidden reads a line that is not shown as it is typed, as term.ReadPassword
// does, but knows an end: that one reads on where Ctrl-D says that nothing comes.
func readHidden(terminal *os.File) (text []byte, err error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag = quiet.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, before)) }()
	for one := make([]byte, 1); len(text) < secret.MaxFile; {
		switch n, err := unix.Read(fd, one); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0 && len(text) == 0:
			return nil, errNothingTyped
		case n == 0 || one[0] == '\n':
			return text, nil
		case one[0] == '\b':
			text = text[:max(0, len(text)-1)]
		default:
			text = append(text, one[0])
		}
	}
	return text, nil
}
