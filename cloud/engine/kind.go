package engine

import (
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
)

// Kind says what a store is made as. It never changes.
type Kind string

// Kinds of stores.
const (
	KindEngine Kind = "engine" // a cloud of its own
	KindEntra  Kind = "entra"  // rehearses Microsoft Entra ID: takes what Graph can write, and nothing else
)

// ParseKind understands the word of a command line.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); k == KindEngine || k == KindEntra {
		return k, nil
	}
	return "", refuse(cloud.Invalid, fmt.Sprintf("%q is not a kind of store: engine or entra", s))
}

// Assumptions are what no public text settles about Entra ID, as one store
// that rehearses it behaves. They are chosen when it is made, so that both
// answers can be rehearsed. The zero value is the careful choice.
type Assumptions struct {
	Activates    bool   `json:"activates,omitempty"`     // an application may activate hardware OATH for its users
	Delayed      bool   `json:"delayed,omitempty"`       // what was written may be seen late
	UnsetDefault bool   `json:"unset_default,omitempty"` // a default method can be taken back
	Cloud        string `json:"cloud,omitempty"`         // "global" (also empty), "usgov", "china"
}

// ParseAssumptions understands NAME=VALUE for each: oath-activation, delayed
// and unset-default are yes or no, cloud is global, usgov or china.
func ParseAssumptions(given []string) (a Assumptions, err error) {
	for _, s := range given {
		name, value, _ := strings.Cut(s, "=")
		switch name {
		case "oath-activation":
			a.Activates, err = yes(s, value)
		case "delayed":
			a.Delayed, err = yes(s, value)
		case "unset-default":
			a.UnsetDefault, err = yes(s, value)
		case "cloud":
			a.Cloud = value
			err = a.check()
		default:
			err = refuse(cloud.Invalid, fmt.Sprintf("%q is nothing that can be assumed: oath-activation, delayed, unset-default or cloud", name))
		}
		if err != nil {
			return Assumptions{}, err
		}
	}
	return a, nil
}

// Words are the assumptions that differ from the zero value, as
// ParseAssumptions takes them.
func (a Assumptions) Words() (words []string) {
	for _, w := range []struct {
		on   bool
		word string
	}{{a.Activates, "oath-activation=yes"}, {a.Delayed, "delayed=yes"}, {a.UnsetDefault, "unset-default=yes"}, {a.Cloud != "", "cloud=" + a.Cloud}} {
		if w.on {
			words = append(words, w.word)
		}
	}
	return words
}

func yes(given, value string) (bool, error) {
	if value != "yes" && value != "no" {
		return false, refuse(cloud.Invalid, fmt.Sprintf("%q must end in yes or no", given))
	}
	return value == "yes", nil
}

// check refuses a cloud that nobody knows.
func (a Assumptions) check() error {
	if a.Cloud != "" && !slices.Contains([]string{"global", "usgov", "china"}, a.Cloud) {
		return refuse(cloud.Invalid, fmt.Sprintf("%q is not a cloud: global, usgov or china", a.Cloud))
	}
	return nil
}
