package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// inOrder puts the arguments of a command line into the order that urfave/cli
// needs: options before arguments, each behind the command that it belongs
// to. The library takes everything behind the first argument as arguments, so
// that "apply F --wave pilot" would silently apply all waves. After "--"
// nothing is an option.
func inOrder(app *cli.App, args []string) []string {
	levels := []level{{commands: app.Commands, flags: app.Flags}}
	var arguments []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			arguments = append(arguments, args[i+1:]...)
			break
		}
		if len(arg) > 1 && arg[0] == '-' {
			at, takesValue := owner(levels, arg)
			levels[at].options = append(levels[at].options, arg)
			if takesValue && i+1 < len(args) {
				i++
				levels[at].options = append(levels[at].options, args[i])
			}
			continue
		}
		current := &levels[len(levels)-1]
		if cmd := find(current.commands, arg); cmd != nil && len(arguments) == 0 {
			levels = append(levels, level{name: arg, commands: cmd.Subcommands, flags: cmd.Flags})
			continue
		}
		arguments = append(arguments, arg)
	}
	return joined(levels, arguments)
}

type level struct {
	name     string
	commands []*cli.Command
	flags    []cli.Flag
	options  []string
}

func joined(levels []level, arguments []string) []string {
	var out []string
	for _, l := range levels {
		if l.name != "" {
			out = append(out, l.name)
		}
		out = append(out, l.options...)
	}
	if len(arguments) > 0 && strings.HasPrefix(arguments[0], "-") {
		out = append(out, "--")
	}
	return append(out, arguments...)
}

// owner finds the innermost command that knows an option, and whether the
// option takes the next word as its value. What nobody knows stays with the
// innermost command, which will refuse it.
func owner(levels []level, arg string) (at int, takesValue bool) {
	name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for at := len(levels) - 1; at >= 0; at-- {
		for _, flag := range levels[at].flags {
			if !slices.Contains(flag.Names(), name) {
				continue
			}
			_, isBool := flag.(*cli.BoolFlag)
			return at, !isBool && !hasValue
		}
	}
	return len(levels) - 1, false
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}
