package postgres

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitSilence bounds how long what was sent may be without an acknowledgment
// (RFC 5482; tcp(7), TCP_USER_TIMEOUT). Keepalives do not see that.
func limitSilence(network, _ string, c syscall.RawConn) (err error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	if failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(goneLimit.Milliseconds()))
	}); failed != nil {
		return failed
	}
	return err
}
