package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// deviceCommands are for telephones that their users do not have any more.
func (p *program) deviceCommands() []*cli.Command {
	return []*cli.Command{{Name: "device-remove", Usage: "take an authenticator away from a user who has lost it", ArgsUsage: "USER ID",
		Description: "ID is the authenticator's, as engine user show has it. From the next packet on it approves nothing, its codes have ended, and it\n" +
			"hears of nothing. Sign-ins that wait for an approval of the user end, on whatever device; a code to activate another one that was\n" +
			"given out before is void. The user is told by text and mail: by the engine at https://HOST, by the channels of --engine-config, or else\n" +
			"in the outbox. It is done also where no second factor is left to the user, and says so. It cannot be undone: a telephone that is\n" +
			"found again is activated anew. A text to the number of a stolen telephone may still be read there: see engine user block.\n" +
			"At https://HOST the application needs the role helpdesk or admin; a helpdesk takes nothing from who has an administrative role.",
		Flags: slices.Concat(adminFlags(), []cli.Flag{mailConfigFlag(), reasonFlag()}), Action: p.removeDevice}}
}

func (p *program) removeDevice(c *cli.Context) error {
	given, err := args(c, "USER", "ID")
	if err != nil {
		return err
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	return ofUser(c, p.administerSending, given[0], func(e administrator, u cloud.User) error {
		did, err := e.RemoveDevice(c.Context, by, u.ID, given[1])
		switch {
		case err == nil:
			p.sayRemoved(u, did)
		case cloud.KindOf(err) == cloud.NotFound:
			return hint.Wrap(err, "nothing was changed; the ids that there are: mfabridge engine user show "+migrate.Plain(u.UPN))
		case cloud.KindOf(err) == cloud.Conflict:
			return hint.Wrap(err, "mfabridge engine invite "+migrate.Plain(u.UPN)+" --revoke")
		}
		return err
	})
}

// sayRemoved says what a helpdesk has to do next.
func (p *program) sayRemoved(u cloud.User, did engine.Dismissed) {
	name := migrate.Plain(u.UPN)
	fmt.Fprintf(p.out, "%s: %s approves nothing more, and its codes have ended\n", name, migrate.Quoted(did.Name))
	if did.Ended > 0 {
		fmt.Fprintf(p.out, "%s: %s that waited for an approval ended\n", name, migrate.Number(did.Ended, "sign-in", "sign-ins"))
	}
	switch did.Left {
	case "":
		fmt.Fprintf(p.out, "%s has no second factor left: invite them with mfabridge engine user invite, and issue a pass with mfabridge engine user pass issue\n", name)
	case cloud.SMS, cloud.VoiceMobile:
		fmt.Fprintf(p.out, "%s is asked by %s from now on: if that number was in the telephone that is gone, block them (mfabridge engine user block) until its card is locked\n", name, did.Left)
	default:
		fmt.Fprintf(p.out, "%s is asked by %s from now on\n", name, did.Left)
	}
}

// authenticatorForm is an authenticator in JSON.
type authenticatorForm struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	LastUsed *time.Time `json:"last_used"`
	Push     bool       `json:"push_service"`
	PIN      bool       `json:"pin"`
	Locked   bool       `json:"locked"`
}

func authenticatorForms(devices []engine.OwnedDevice) *[]authenticatorForm {
	forms := []authenticatorForm{}
	for _, d := range devices {
		forms = append(forms, authenticatorForm{d.ID, d.Name, d.Created.UTC(), orNull(d.Used), d.Push, d.PIN, d.Locked})
	}
	return &forms
}

// printAuthenticators prints them so that a helpdesk can tell one from another,
// and invitations.
func (p *program) printAuthenticators(w io.Writer, u cloud.User, devices []engine.OwnedDevice) {
	for _, a := range u.Authenticators {
		text := a.State
		if a.Name != "" {
			text += " " + migrate.Quoted(a.Name)
		}
		if a.Until.After(p.now()) {
			text += " until " + stamp(a.Until)
		}
		if i := slices.IndexFunc(devices, func(d engine.OwnedDevice) bool { return d.ID == a.ID }); i >= 0 {
			text += ", " + standing(devices[i])
		}
		fmt.Fprintf(w, "%s\t%s\n", cloud.Authenticator, text)
	}
}

// standing is what is to be known of one authenticator beside its name.
func standing(d engine.OwnedDevice) string {
	text := "id " + d.ID + ", never used"
	if !d.Used.IsZero() {
		text = "id " + d.ID + ", last used " + stamp(d.Used)
	}
	if d.Locked {
		text += ", locked for wrong PINs"
	}
	return text
}
