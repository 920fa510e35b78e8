package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// metaSettings is the name of the Meta value of the settings.
const metaSettings = "settings"

// Bounds of settings.
const (
	maxAccount   = 64 // bytes
	minPINLength = 4
	maxPINLength = 16
)

// Settings are what an organisation lets its people do with authenticators:
// those of the old server's user portal that still mean something.
type Settings struct {
	Account  string             `json:"account,omitempty"`   // what authenticators call the account; empty: "mfabridge"
	Enrol    bool               `json:"enrol,omitempty"`     // who proves who they are needs no invitation
	Activate bool               `json:"activate"`            // people activate by themselves; else with a code or pass of the helpdesk only
	Select   []cloud.Preference `json:"select,omitempty"`    // what people may make their default method
	Devices  int                `json:"devices"`             // authenticators and invitations that one user may have
	PIN      bool               `json:"pin,omitempty"`       // everybody approves with a PIN
	Length   int                `json:"length"`              // of a PIN, at least
	WeakPINs bool               `json:"weak_pins,omitempty"` // PINs that anybody guesses first are taken
	Language string             `json:"language,omitempty"`  // of the mail of an invitation, one of Languages; empty: English
}

// DefaultSettings hold where nothing was ever set: who is invited may activate,
// and nothing more.
func DefaultSettings() Settings {
	return Settings{Activate: true, Devices: maxOATH, Length: minPINLength}
}

// AccountName is Account as authenticators show it.
func (s Settings) AccountName() string {
	if s.Account == "" {
		return "mfabridge"
	}
	return s.Account
}

// Selectable are the methods that a setting may let people choose among.
func Selectable() []cloud.Preference {
	return []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceOffice}
}

// Languages are those that the mail of an invitation can have.
func Languages() []string { return []string{"en", "de"} }

// LanguageName is Language, or that which holds without it.
func (s Settings) LanguageName() string { return cmp.Or(s.Language, "en") }

func (s *Settings) check() error {
	if s.Account != "" {
		if err := form.CheckText("the name of the account", s.Account, maxAccount); err != nil {
			return err
		}
	}
	switch {
	case s.Devices < 1 || s.Devices > maxOATH:
		return refuse(cloud.Invalid, fmt.Sprintf("a user may have 1 to %d authenticators", maxOATH))
	case !slices.Contains(Languages(), s.LanguageName()):
		return refuse(cloud.Invalid, "the language must be one of "+strings.Join(Languages(), ", "))
	case s.Length < minPINLength || s.Length > maxPINLength:
		return refuse(cloud.Invalid, fmt.Sprintf("the least length of a PIN is %d to %d digits", minPINLength, maxPINLength))
	}
	for _, method := range s.Select {
		if !slices.Contains(Selectable(), method) {
			return refuse(cloud.Invalid, fmt.Sprintf("%q is not a method that people may choose", string(method)))
		}
	}
	return nil
}

// String is the settings in one line, for the audit.
func (s Settings) String() string {
	words := make([]string, len(s.Select))
	for i, method := range s.Select {
		words[i] = string(method)
	}
	return fmt.Sprintf("account=%q enrol=%t activate=%t select=%s devices=%d pin=%t pin-length=%d weak-pins=%t language=%s",
		s.Account, s.Enrol, s.Activate, strings.Join(words, ","), s.Devices, s.PIN, s.Length, s.WeakPINs, s.LanguageName())
}

// Settings are those that hold now.
func (e *Engine) Settings(ctx context.Context) (s Settings, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		s, err = settingsOf(r)
		return err
	})
	return s, asError(err)
}

func settingsOf(r Reader) (Settings, error) {
	s := DefaultSettings()
	value, err := r.Meta(metaSettings)
	if err != nil || len(value) == 0 {
		return s, err
	}
	s.Activate = false // what is written says it
	if err := json.Unmarshal(value, &s); err != nil {
		return Settings{}, refuse(cloud.Internal, "the settings cannot be read")
	}
	return s, nil
}

// ChangeSettings changes what edit changes. Nothing is written, audited either,
// where that is nothing.
func (e *Engine) ChangeSettings(ctx context.Context, by Actor, edit func(*Settings)) (now Settings, err error) {
	if err := by.check(); err != nil {
		return Settings{}, err
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		before, err := settingsOf(tx)
		if err != nil {
			return err
		}
		now = before
		now.Select = slices.Clone(before.Select)
		edit(&now)
		slices.Sort(now.Select)
		now.Select = slices.Compact(now.Select)
		if err := now.check(); err != nil {
			return err
		}
		if now.String() == before.String() {
			return nil
		}
		value, err := json.Marshal(now)
		if err != nil {
			return fmt.Errorf("the settings cannot be written: %w", err)
		}
		if err := tx.SetMeta(metaSettings, value); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "settings.set", "authenticator", now.String(), e.now()))
	})
	return now, asError(err)
}
