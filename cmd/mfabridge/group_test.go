package main

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"mfabridge/cloud"
)

// countedGroup is a group of a target that takes batches of 3, and counts what
// it is asked.
type countedGroup struct {
	members int
	gone    int // this member was removed while it was listed
	reads   int
}

func (g *countedGroup) Capabilities(context.Context) (cloud.Capabilities, error) {
	return cloud.Capabilities{Batch: 3}, nil
}

func (g *countedGroup) Members(context.Context, string) iter.Seq2[cloud.UserID, error] {
	return func(yield func(cloud.UserID, error) bool) {
		for i := range g.members {
			if !yield(cloud.UserID(fmt.Sprint(i)), nil) {
				return
			}
		}
		if g.members < 0 {
			yield("", &cloud.Error{Kind: cloud.NotFound, Message: "there is no such group"})
		}
	}
}

func (g *countedGroup) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	g.reads++
	if len(ids) > 3 {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: "too many"}
	}
	users := make([]cloud.User, len(ids))
	for i, id := range ids {
		if id != cloud.UserID(fmt.Sprint(g.gone)) {
			users[i] = cloud.User{ID: id, Profile: cloud.Profile{UPN: "user" + string(id)}}
		}
	}
	return users, nil
}

// The users of a group are read in batches, each once and in order; one who
// was removed meanwhile has no name.
func TestMembersAreReadInBatches(t *testing.T) {
	for members, reads := range map[int]int{0: 0, 1: 1, 3: 1, 7: 3} {
		g := &countedGroup{members: members, gone: 5}
		var ids []cloud.UserID
		err := eachMember(t.Context(), g, "Pilots", func(id cloud.UserID, u *cloud.User) error {
			if want := "user" + string(id); id != "5" && u.UPN != want || id == "5" && u.UPN != "" {
				t.Errorf("%s is called %q", id, u.UPN)
			}
			ids = append(ids, id)
			return nil
		})
		if err != nil || len(ids) != members || g.reads != reads {
			t.Errorf("a group of %d: %d listed with %d reads, want %d; %v", members, len(ids), g.reads, reads, err)
		}
		for i, id := range ids {
			if id != cloud.UserID(fmt.Sprint(i)) {
				t.Errorf("a group of %d: %s stands at %d", members, id, i)
			}
		}
	}
	if err := eachMember(t.Context(), &countedGroup{members: -1}, "Pilots", nil); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a group that is not there: %v", err)
	}
}
