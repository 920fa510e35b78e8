// Command mfabridge moves an organisation off Microsoft's on-premises MFA
// Server: it reads what the old server held, plans and applies its move to a
// cloud, and answers the RADIUS requests of legacy applications meanwhile.
//
// This package is the only one that sees all others. It holds one file a
// command (cmd_*.go): flags, wiring by hand and printing, and the tables that
// turn errors into exit codes. What the program does lives in the packages
// that it wires together; docs/start.md is a map of them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)   // the first signal ends in order, the second at once
	signal.Ignore(syscall.SIGPIPE) // a write fails then, and the command ends in order
	os.Exit(run(ctx, os.Args, streams{in: os.Stdin, out: os.Stdout, err: leveled(os.Stderr)}))
}
