package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"mfabridge/cloud"
)

// aside is what few users have and every login must know: it rides in the
// user's row as JSON, in User.Aside. Nothing in it is a secret.
type aside struct {
	Bypass *Bypass  `json:"bypass,omitempty"`
	Passes []pass   `json:"passes,omitempty"`
	Pushes []pushed `json:"pushes,omitempty"` // of the last minutes, oldest first

	PIN bool `json:"pin,omitempty"` // approves with a PIN, see RequirePIN

	Number string `json:"number,omitempty"` // with which the user may sign in, see SetNumberSignIn

	Activation *activation `json:"activation,omitempty"` // the code that was given out last
	Confirming *confirming `json:"confirming,omitempty"` // the code that was sent last to prove the address of mail

	SignedOut time.Time `json:"signed_out,omitzero"` // tokens of the owner from until then let nobody in, see RemoveDevice
	Reworded  time.Time `json:"reworded,omitzero"`   // the password was changed: sign-ins of before have ended, see outlived
}

// pushed is a push that was begun.
type pushed struct {
	ID cloud.ChallengeID `json:"id"`
	At time.Time         `json:"at"`
}

// readAside is what stands aside of a user.
func readAside(u *User) (aside, error) {
	if len(u.Aside) == 0 {
		return aside{}, nil
	}
	return decodeAside(u)
}

func decodeAside(u *User) (a aside, err error) {
	if err := json.Unmarshal(u.Aside, &a); err != nil {
		return aside{}, refuse(cloud.Internal, fmt.Sprintf("what is kept aside of user %s cannot be read", u.ID))
	}
	return a, nil
}

// setAside writes it back; the user is to be stored.
func setAside(u *User, a aside) error {
	if a.Bypass == nil && len(a.Passes) == 0 && len(a.Pushes) == 0 && a.Activation == nil && !a.PIN && a.Number == "" && a.Confirming == nil && a.SignedOut.IsZero() && a.Reworded.IsZero() {
		u.Aside = nil
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("what is kept aside of a user cannot be written: %w", err)
	}
	u.Aside = b
	return nil
}
