package graph

import (
	"context"
	"net/http"
	"net/url"

	"mfabridge/cloud"
)

// Restorable implements [cloud.Restorer]: who was deleted can be restored for 30
// days (api/directory-deleteditems-get), with the methods.
func (d *Directory) Restorable(ctx context.Context, ids []cloud.UserID) ([]bool, error) {
	var items []*item
	for _, id := range ids {
		items = append(items, &item{method: http.MethodGet, path: "/directory/deletedItems/" + url.PathEscape(string(id)) + "?$select=id"})
	}
	if err := d.client.reads(ctx, v1, items); err != nil {
		return nil, err
	}
	can := make([]bool, len(ids))
	for k, i := range items {
		if err := i.failed(); err != nil && !i.missing() {
			return nil, err
		}
		can[k] = i.ok()
	}
	return can, nil
}
