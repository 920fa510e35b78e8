package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// inOrder puts the arguments of a command line into the order that urfave/cli
// needs: options before arguments, each behind the command that it belongs
// to. The library takes everything behind the first argument as arguments, so
// that "apply F --wave pilot" would silently apply all waves. After "--"
// nothing is an option.
//
// It refuses what the library would take for less than was meant: an option
// with an empty value, which would count as not given, and one that takes one
// value and is given two, of which the last would count.
func inOrder(app *cli.App, args []string) ([]string, error) {
	levels := []level{{commands: app.Commands, flags: app.Flags}}
	var arguments []string
	asked := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			arguments = append(arguments, args[i+1:]...)
			break
		}
		if len(arg) > 1 && arg[0] == '-' {
			o := owner(levels, arg)
			if o.separate && i+1 == len(args) {
				return nil, usage(o.written()+" needs a value", "give it one behind it, or leave the option out")
			}
			at := &levels[o.at]
			if o.flag == nil && (o.name == "help" || o.name == "h") {
				at.help = true
				continue
			}
			at.options = append(at.options, arg)
			if o.separate {
				i++
				o.value = args[i]
				at.options = append(at.options, o.value)
			}
			if err := at.take(o); err != nil {
				return nil, err
			}
			continue
		}
		current := &levels[len(levels)-1]
		if arg == "help" && len(current.commands) > 0 && len(arguments) == 0 { // of the commands behind it, as people ask elsewhere
			asked = true
			continue
		}
		if cmd := find(current.commands, arg); cmd != nil && len(arguments) == 0 {
			levels = append(levels, level{name: arg, commands: cmd.Subcommands, flags: cmd.Flags})
			continue
		}
		arguments = append(arguments, arg)
	}
	if asked {
		levels[len(levels)-1].help = true
	}
	arguments = helped(levels, arguments)
	if err := noneEmpty(levels); err != nil {
		return nil, err
	}
	return joined(levels, arguments), nil
}

// helped sees to it that help is had wherever it is asked for: the library
// takes an argument before --help as a topic. Behind a command that there is
// not the error counts.
func helped(levels []level, arguments []string) []string {
	last := &levels[len(levels)-1]
	switch {
	case !last.help:
	case len(last.commands) == 0:
		return nil
	case len(arguments) > 0:
		last.help = false
	}
	return arguments
}

type level struct {
	name     string
	commands []*cli.Command
	flags    []cli.Flag
	options  []string
	given    []cli.Flag
	help     bool
}

const leaveOut = "leave it out, or give it a value: an empty one often comes from a variable, or a file, that is not there"

// take notes that an option is given, and refuses a value that cannot be meant.
func (l *level) take(o option) error {
	_, isBool := o.flag.(*cli.BoolFlag)
	_, isList := o.flag.(*cli.StringSliceFlag)
	switch {
	case o.flag == nil:
		return nil
	case isBool:
	case o.value == "":
		return usage(o.written()+" is empty", leaveOut)
	case !isList && slices.Contains(l.given, o.flag):
		return usage(o.written()+" is given twice", "it takes one value")
	}
	l.given = append(l.given, o.flag)
	return nil
}

// noneEmpty refuses environment variables that are set to nothing, as empty options are,
// unless the command line says something else.
func noneEmpty(levels []level) error {
	for _, l := range levels {
		if l.help {
			return nil
		}
	}
	for _, l := range levels {
		for _, flag := range l.flags {
			f, ok := flag.(cli.DocGenerationFlag)
			if !ok || !f.TakesValue() || slices.Contains(l.given, flag) {
				continue
			}
			for _, name := range f.GetEnvVars() {
				if value, set := os.LookupEnv(name); set && value == "" {
					return usage("the environment variable "+name+" is empty", "unset it, or give it a value")
				}
			}
		}
	}
	return nil
}

func joined(levels []level, arguments []string) []string {
	var out []string
	for _, l := range levels {
		if l.name != "" {
			out = append(out, l.name)
		}
		out = append(out, l.options...)
		if l.help {
			out = append(out, "--help")
		}
	}
	if len(arguments) > 0 && strings.HasPrefix(arguments[0], "-") {
		out = append(out, "--")
	}
	return append(out, arguments...)
}

// option is one word of a command line that begins with a hyphen.
type option struct {
	name     string
	value    string
	at       int      // the level that it belongs to
	flag     cli.Flag // nil: nobody knows it
	separate bool     // the next word is its value
}

// written is the option as people write it.
func (o option) written() string {
	if len(o.name) == 1 {
		return "-" + o.name
	}
	return "--" + o.name
}

// owner finds the innermost command that knows an option. What nobody knows
// stays with the innermost command, which will refuse it.
func owner(levels []level, arg string) option {
	name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for at := len(levels) - 1; at >= 0; at-- {
		for _, flag := range levels[at].flags {
			if !slices.Contains(flag.Names(), name) {
				continue
			}
			_, isBool := flag.(*cli.BoolFlag)
			return option{name: name, value: value, at: at, flag: flag, separate: !isBool && !hasValue}
		}
	}
	return option{name: name, at: len(levels) - 1}
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}
