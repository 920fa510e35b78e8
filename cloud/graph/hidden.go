package graph

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// readsHidden is the permission without which Graph leaves out who is in a group
// that hides its members, and says nothing of it (api/group-list-members,
// api/directoryobject-checkmembergroups). Directory.Read.All is not enough.
const readsHidden = "Member.Read.Hidden"

// hiding is a group with who may see its members (resources/group: visibility).
type hiding struct {
	ID         string `json:"id"`
	Visibility string `json:"visibility"`
}

// hides tells whether a group keeps its members from applications without leave.
func (g hiding) hides() bool { return strings.EqualFold(g.Visibility, "HiddenMembership") }

// seesHidden tells whether the application is known to have that leave.
func (d *Directory) seesHidden(ctx context.Context) bool {
	if d.o.Credential == nil {
		return false
	}
	token, err := d.accessToken(ctx)
	if err != nil {
		return false
	}
	roles, _ := rolesOf(token.Token)
	return slices.Contains(roles, readsHidden)
}

// unseen refuses a group whose members Graph would leave out: the list would
// look as if it were whole.
func (d *Directory) unseen(ctx context.Context, name string, g hiding) error {
	if !g.hides() || d.seesHidden(ctx) {
		return nil
	}
	return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "group " + name + " hides its members, and Graph leaves them out for this application"},
		"grant the application "+readsHidden+", or name the users in a file")
}

// markHidden notes the groups of a policy whose members are kept from this
// application. One that cannot be looked at is not known to hide them.
func (d *Directory) markHidden(ctx context.Context, p *policy) error {
	ids := p.groups()
	if len(ids) == 0 || d.seesHidden(ctx) {
		return nil
	}
	var items []*item
	for _, id := range ids {
		items = append(items, &item{method: http.MethodGet, path: "/groups/" + url.PathEscape(id) + "?$select=id,visibility"})
	}
	if err := d.client.reads(ctx, v1, items); err != nil {
		return err
	}
	for n, i := range items {
		var g hiding
		switch err := i.into(&g); {
		case err == nil && g.hides():
			p.hidden = append(p.hidden, ids[n])
		case err != nil && (!isUntold(err) || i.answer.status == http.StatusUnauthorized):
			return fmt.Errorf("the groups of the methods policy cannot be read: %w", err)
		}
	}
	return nil
}

// checkHidden says what is not known of the policy's groups.
func (p *policy) checkHidden() []cloud.Check {
	if len(p.hidden) == 0 {
		return nil
	}
	return []cloud.Check{{Name: "policy.hidden", Result: cloud.CheckUnknown,
		Detail: fmt.Sprintf("groups of the methods policy that hide their members: %d. Who is in them counts as outside, and as one who signs in by text where the policy lets such a group", len(p.hidden)),
		Action: "Grant the application " + readsHidden + ", or expect METHOD_NOT_ALLOWED and SMS_SIGNIN_ENABLED for people whom they do not fit."}}
}
