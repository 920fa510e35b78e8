package main

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

//go:embed completion/mfabridge.bash
var bashCompletion string

//go:embed completion/mfabridge.zsh
var zshCompletion string

//go:embed completion/mfabridge.fish
var fishCompletion string

// completeWord is the word by which the scripts of the shells ask what may come
// next: mfabridge __complete SHELL LINE [WORD].
const completeWord = "__complete"

func (p *program) completionCommand() *cli.Command {
	shell := func(name, script, where string) *cli.Command {
		return &cli.Command{Name: name, Usage: "print the script for " + name,
			Description: "Write it to " + where + ".",
			Action: func(c *cli.Context) error {
				if _, err := args(c); err != nil {
					return err
				}
				_, err := fmt.Fprint(p.out, script)
				return err
			}}
	}
	return &cli.Command{
		Name:  "completion",
		Usage: "have a shell complete commands and options",
		Subcommands: []*cli.Command{
			shell("bash", bashCompletion, "/usr/share/bash-completion/completions/mfabridge, or say: source <(mfabridge completion bash)"),
			shell("zsh", zshCompletion, "a file _mfabridge in a folder of $fpath, e.g. /usr/local/share/zsh/site-functions"),
			shell("fish", fishCompletion, "~/.config/fish/completions/mfabridge.fish"),
		},
	}
}

// complete answers a shell: what may stand where the line ends, one a line,
// with a tab and a few words for people; ":files N" for names of files behind
// the first N characters of the word. bash replaces only a part of the word,
// which it tells. What cannot be understood has no answer.
func (p *program) complete(words []string) int {
	if len(words) < 2 {
		return exitDone
	}
	found := complete(p.app(), words[1])
	cut := 0
	if words[0] == "bash" && len(words) > 2 {
		part, _ := takeWord(words[2])
		if !strings.HasSuffix(found.word, part) {
			part = "" // it stands behind a : or =, which bash may count as a part
		}
		cut = len(found.word) - len(part)
	}
	for _, s := range found.words {
		fmt.Fprintf(p.out, "%s\t%s\n", s.word[cut:], s.about)
	}
	if found.files {
		fmt.Fprintf(p.out, ":files %d\n", found.behind)
	}
	return exitDone
}
