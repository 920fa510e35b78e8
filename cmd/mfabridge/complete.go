package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// maxTyped is the longest line that is completed, in bytes.
const maxTyped = 64 << 10

// completions are what may stand where a line ends.
type completions struct {
	word   string // that was begun, without its quotes
	words  []suggestion
	files  bool // names of files, behind the first characters of the word
	behind int  // how many of them
}

type suggestion struct{ word, about string }

// complete tells what may stand where line ends, which is what somebody has
// typed up to the cursor, in the words of a shell. Nothing in it is evaluated:
// $(…) is a word like any other.
func complete(app *cli.App, line string) (c completions) {
	if len(line) > maxTyped || !utf8.ValidString(line) {
		return c
	}
	before, word := splitLine(line)
	if len(before) == 0 { // the name of the program is being typed
		return c
	}
	c.word = word
	at := reach(app, before[1:])
	name, value, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	switch {
	case at.flag != nil:
		c.value(at.flag, "", word)
	case !at.ended && len(word) > 1 && word[0] == '-' && hasValue:
		if o := owner(at.levels, "-"+name); o.flag != nil {
			c.value(o.flag, word[:len(word)-len(value)], value)
		}
	case !at.ended && strings.HasPrefix(word, "-"):
		c.flags(at.levels)
	default:
		c.argument(at)
	}
	c.words = slices.DeleteFunc(c.words, func(s suggestion) bool { return !strings.HasPrefix(s.word, word) })
	return c
}

// whereabouts is how far the words of a line lead.
type whereabouts struct {
	levels    []level
	arguments int
	flag      cli.Flag // wants its value next
	ended     bool     // behind --: no options any more
}

// reach follows words as [inOrder] does.
func reach(app *cli.App, words []string) whereabouts {
	at := whereabouts{levels: []level{{commands: app.Commands, flags: app.Flags}}}
	for i := 0; i < len(words); i++ {
		word, current := words[i], &at.levels[len(at.levels)-1]
		switch {
		case at.ended:
			at.arguments++
		case word == "--":
			at.ended = true
		case len(word) > 1 && word[0] == '-':
			o := owner(at.levels, word)
			if o.separate && i+1 == len(words) {
				at.flag = o.flag
			} else if o.separate {
				i++
			}
			at.levels[o.at].given = append(at.levels[o.at].given, o.flag)
		case word == "help" && len(current.commands) > 0 && at.arguments == 0:
		case at.arguments == 0 && find(current.commands, word) != nil:
			cmd := find(current.commands, word)
			at.levels = append(at.levels, level{name: cmd.ArgsUsage, commands: cmd.Subcommands, flags: cmd.Flags})
		default:
			at.arguments++
		}
	}
	return at
}

func (c *completions) add(word, about string) {
	about, _, _ = strings.Cut(about, "\n")
	c.words = append(c.words, suggestion{word, strings.NewReplacer("`", "", "\t", " ").Replace(about)})
}

// flags are the options that have not been given, but for those that may be
// given several times.
func (c *completions) flags(levels []level) {
	for _, l := range slices.Backward(levels) {
		for _, f := range l.flags {
			_, several := f.(*cli.StringSliceFlag)
			if documented, ok := f.(cli.DocGenerationFlag); ok && (several || !slices.Contains(l.given, f)) {
				c.add("--"+f.Names()[0], documented.GetUsage())
			}
		}
	}
	c.add("--help", "show help")
}

// argument is what may stand where no option does: a command, or what the
// command's help names.
func (c *completions) argument(at whereabouts) {
	current := at.levels[len(at.levels)-1]
	if at.arguments == 0 {
		for _, cmd := range current.commands {
			c.add(cmd.Name, cmd.Usage)
		}
	}
	wanted := strings.Fields(current.name)
	c.files = at.arguments < len(wanted) && namesFile(wanted[at.arguments])
}

// namesFile tells whether what the help of a command or an option calls so is a
// file.
func namesFile(wanted string) bool {
	return wanted == "F" || strings.Contains(wanted, "FILE") || strings.Contains(wanted, "FOLDER") || strings.Contains(wanted, "EXPORT") ||
		strings.Contains(wanted, "BACKUP") || strings.Contains(wanted, "PATH")
}

// value is what may stand as the value of an option; before is what stands
// before it in the same word.
func (c *completions) value(f cli.Flag, before, value string) {
	documented, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return
	}
	help := documented.GetUsage()
	usage := strings.ReplaceAll(help, "`", "")
	for _, begin := range beginnings {
		if !strings.Contains(usage, begin) {
			continue
		}
		start, what, _ := strings.Cut(begin, ":")
		start += ":"
		if rest, ok := strings.CutPrefix(what, "//"); ok {
			start, what = start+"//", rest
		}
		if !strings.HasPrefix(value, start) {
			c.add(before+start, begin)
			continue
		}
		c.files, c.behind = namesFile(what), utf8.RuneCountInString(before+start)
		return
	}
	for _, word := range choices[f.Names()[0]] {
		if slices.ContainsFunc(strings.FieldsFunc(usage, notOfWord), func(s string) bool { return strings.EqualFold(s, word) }) { // YES|NO
			c.add(before+word, "")
		}
	}
	if _, called, ok := strings.Cut(help, "`"); ok && len(c.words) == 0 {
		called, _, _ = strings.Cut(called, "`")
		c.files, c.behind = namesFile(called), utf8.RuneCountInString(before)
	}
}

// notOfWord divides the words of a usage.
func notOfWord(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
