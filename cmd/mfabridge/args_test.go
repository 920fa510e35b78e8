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
		{"apply --help", "apply --help"},
		{"apply F --help", "apply --help"},
		{"apply F G -h --wave pilot", "apply --wave pilot --help"},
		{"--help apply", "--help apply"},
		{"engine user -h", "engine user --help"},
		{"engine nothing --help", "engine nothing"},
		{"apply -- --help", "apply -- --help"},
		{"", ""},
	} {
		ordered, err := inOrder(app, strings.Fields(c.in))
		if got := strings.Join(ordered, " "); got != c.want || err != nil {
			t.Errorf("%q became %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

// What an empty value or a second one would silently mean is refused: with an
// empty --wave undo would take everything back, with an empty --expect apply
// would do whatever F holds.
func TestInOrderRefuses(t *testing.T) {
	app := &cli.App{Commands: []*cli.Command{{Name: "apply", Flags: []cli.Flag{
		&cli.StringFlag{Name: "expect", Aliases: []string{"e"}, EnvVars: []string{"MFABRIDGE_TEST_EXPECT"}},
		&cli.StringSliceFlag{Name: "wave"}, &cli.IntFlag{Name: "max"}, &cli.BoolFlag{Name: "all", EnvVars: []string{"MFABRIDGE_TEST_ALL"}},
	}}}}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"apply", "F", "--expect", ""}, "--expect is empty"},
		{[]string{"apply", "--expect=", "F"}, "--expect is empty"},
		{[]string{"apply", "F", "-e", ""}, "-e is empty"},
		{[]string{"apply", "F", "--wave", "a", "--wave", ""}, "--wave is empty"},
		{[]string{"apply", "F", "--max", ""}, "--max is empty"},
		{[]string{"apply", "F", "--expect"}, "--expect needs a value"},
		{[]string{"apply", "--expect", "a", "F", "-e", "b"}, "-e is given twice"},
		{[]string{"apply", "--max", "1", "--max", "1"}, "--max is given twice"},
		{[]string{"apply", "F", "--wave", "a", "--wave", "b"}, ""},
		{[]string{"apply", "F", "--all", "--all"}, ""},
		{[]string{"apply", "F", "", "--expect", "a"}, ""},
	} {
		refuses(t, app, c.args, c.want)
	}
	t.Setenv("MFABRIDGE_TEST_EXPECT", "")
	t.Setenv("MFABRIDGE_TEST_ALL", "")
	refuses(t, app, []string{"apply", "F"}, "the environment variable MFABRIDGE_TEST_EXPECT is empty")
	refuses(t, app, []string{"apply", "F", "-e", "a"}, "")
	refuses(t, app, []string{"apply", "--help"}, "")
}

func refuses(t *testing.T, app *cli.App, args []string, want string) {
	t.Helper()
	_, err := inOrder(app, args)
	switch {
	case want == "" && err == nil:
	case err == nil || err.Error() != want || exitCode(err) != exitUsage:
		t.Errorf("%q: %v (code %d), want %q", args, err, exitCode(err), want)
	}
}
