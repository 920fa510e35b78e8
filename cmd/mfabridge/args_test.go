package main

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestInOrder(t *testing.T) {
	app := &cli.App{
		Flags: []cli.Flag{&cli.BoolFlag{Name: "no-color"}},
		Commands: []*cli.Command{
			{Name: "apply", Flags: []cli.Flag{&cli.StringFlag{Name: "wave"}, &cli.BoolFlag{Name: "reveal", Aliases: []string{"r"}}}},
			{Name: "engine", Flags: []cli.Flag{&cli.StringFlag{Name: "store"}}, Subcommands: []*cli.Command{
				{Name: "user", Subcommands: []*cli.Command{{Name: "add", Flags: []cli.Flag{&cli.StringFlag{Name: "name"}}}}},
			}},
		},
	}
	for _, c := range []struct{ in, want string }{
		{"apply F --wave pilot", "apply --wave pilot F"},
		{"apply F --wave=pilot", "apply --wave=pilot F"},
		{"apply --reveal F --wave pilot", "apply --reveal --wave pilot F"},
		{"apply F -r G", "apply -r F G"},
		{"apply F --no-color", "--no-color apply F"},
		{"--no-color apply F", "--no-color apply F"},
		{"apply F --unknown", "apply --unknown F"},
		{"apply -- --wave", "apply -- --wave"},
		{"apply F -- --wave", "apply F --wave"}, // behind an argument the library takes nothing as an option
		{"engine user add ada --store s --name A", "engine --store s user add --name A ada"},
		{"engine user add apply", "engine user add apply"},
		{"apply -", "apply -- -"},
		{"apply F --wave", "apply --wave F"}, // the value is missing: the library takes F, and F is missing
		{"", ""},
	} {
		got := strings.Join(inOrder(app, strings.Fields(c.in)), " ")
		if got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}
