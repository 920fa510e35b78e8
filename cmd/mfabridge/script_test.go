package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are what the scripts can do besides testscript's own:
//
//	exits CODE PROGRAM ARGS…   run a program, which must end with CODE
//	flip FILE BYTE             alter one bit of FILE; a negative BYTE counts from its end
//	cut FILE SIZE              leave the first SIZE bytes; a negative SIZE leaves out as many
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits": scriptExits,
	"flip": func(ts *testscript.TestScript, neg bool, args []string) {
		b, at := scriptFile(ts, neg, args)
		b[at] ^= 1
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
	},
	"cut": func(ts *testscript.TestScript, neg bool, args []string) {
		b, at := scriptFile(ts, neg, args)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b[:at], 0o644))
	},
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptFile reads a file and a place in it.
func scriptFile(ts *testscript.TestScript, neg bool, args []string) (b []byte, at int) {
	if neg || len(args) != 2 {
		ts.Fatalf("a file and a number are needed")
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err = strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	if at < 0 || at >= len(b) {
		ts.Fatalf("%s has %d bytes", args[0], len(b))
	}
	return b, at
}
