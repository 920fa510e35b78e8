package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
)

// notifyPatience bounds how long telling the service manager may take.
const notifyPatience = time.Second

// manager is who started this program as a service, if it wants to be told how
// the service is: systemd with Type=notify (sd_notify(3)). Nil is nobody.
type manager struct {
	socket string
	every  time.Duration // how often it wants to hear that the service lives; 0: never
}

// serviceManager finds out who it is, by the environment.
func serviceManager() *manager {
	socket := os.Getenv("NOTIFY_SOCKET")
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return nil
	}
	m := &manager{socket: socket}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if limit, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && limit > 0 {
			m.every = time.Duration(limit) * time.Microsecond / 2
		}
	}
	return m
}

// reloading says that a new configuration is being taken. Since when counts for
// those who use Type=notify-reload, which systemd 253 brought.
func (m *manager) reloading() {
	if since, ok := monotonic(); ok {
		m.tell("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(since.Microseconds(), 10))
		return
	}
	m.tell("RELOADING=1")
}

// tell sends lines like READY=1. That nobody hears them is no fault of the
// service.
func (m *manager) tell(lines ...string) {
	if m == nil {
		return
	}
	conn, err := net.DialTimeout("unixgram", m.socket, notifyPatience)
	if err != nil {
		return
	}
	defer conn.Close()
	if conn.SetWriteDeadline(time.Now().Add(notifyPatience)) == nil {
		_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
	}
}

// live says that the service lives until ctx ends, each time that look comes
// back.
func (m *manager) live(ctx context.Context, look func()) {
	if m == nil || m.every == 0 {
		return
	}
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for {
		look()
		m.tell("WATCHDOG=1")
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// status is the line that a manager shows of the service, to everybody on the
// machine: nothing that stands in a configuration belongs there.
func status(sentence, advice string) string {
	if advice != "" {
		sentence += " (" + advice + ")"
	}
	return "STATUS=" + strings.ReplaceAll(sentence, "\n", "; ")
}

// misconfigured says that a configuration cannot be used as it is.
type misconfigured struct{ err error }

func (m *misconfigured) Error() string { return m.err.Error() }
func (m *misconfigured) Unwrap() error { return m.err }

// serving runs a command that a service manager may have started. Why it ended
// is told to the manager as well, which shows it where the log is not at hand,
// and a configuration that cannot be used ends as wrong use of the command line
// does: the manager need not try again.
func serving(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := action(c)
		if silent(err) {
			serviceManager().tell(status("stopped", ""))
			return err
		}
		if _, ok := errors.AsType[*misconfigured](err); ok {
			serviceManager().tell(status("the configuration cannot be used: the journal says why", ""))
			return &exit{code: exitUsage, err: err}
		}
		serviceManager().tell(status(err.Error(), hint.Of(err)))
		return err
	}
}
