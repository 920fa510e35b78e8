package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate/planfile"
)

func planKeyFlag() cli.Flag {
	return &cli.StringFlag{Name: "plan-key",
		Usage: "the plan's key is `file:PATH` (default: F.key), or F.key.age, opened with age:IDENTITYFILE"}
}

func sealFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "seal-to",
		Usage: "seal the plan's key to the age recipient `age1…`, to F.key.age, and write no F.key"}
}

// sealTo reads the recipients of --seal-to.
func sealTo(c *cli.Context) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, given := range c.StringSlice("seal-to") {
		found, err := age.ParseRecipients(strings.NewReader(given))
		if err != nil || len(found) != 1 {
			return nil, usage(fmt.Sprintf("--seal-to: %q is no age recipient", given), "it begins with age1; age-keygen prints it as the public key")
		}
		all = append(all, found...)
	}
	return all, nil
}

// openPlan opens a plan file with its key, or without one if keyless is
// allowed and there is none that can be opened.
func openPlan(c *cli.Context, path string, keyless bool) (*planfile.Plan, error) {
	given := c.String("plan-key")
	kind, name, _ := strings.Cut(given, ":")
	switch {
	case given == "":
		return openBeside(path, keyless)
	case kind == "file" && name != "":
		return planfile.Open(path, name)
	case kind == "age" && name != "":
		found, err := identities("plan-key", "file:"+name)
		if err != nil {
			return nil, err
		}
		return planfile.OpenSealed(path, found...)
	}
	return nil, usage(fmt.Sprintf("--plan-key cannot be %q", given), "use file:PATH, or age:IDENTITYFILE for a plan made with --seal-to")
}

// openBeside opens a plan with the key that stands beside it.
func openBeside(path string, keyless bool) (*planfile.Plan, error) {
	key := planfile.KeyPath(path)
	if _, err := os.Lstat(key); !errors.Is(err, os.ErrNotExist) {
		plan, err := planfile.Open(path, key)
		if keyless && errors.Is(err, os.ErrPermission) { // somebody else's: as if it were not there
			return planfile.Open(path, "")
		}
		return plan, err
	}
	if keyless {
		return planfile.Open(path, "")
	}
	sealed := planfile.SealedKeyPath(path)
	if _, err := os.Lstat(sealed); err == nil {
		return nil, hint.New("the plan's key "+sealed+" is sealed to age recipients", "say which identity opens it: --plan-key age:IDENTITYFILE")
	}
	return planfile.Open(path, key)
}
