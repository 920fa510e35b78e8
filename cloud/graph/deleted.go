package graph

import (
	"context"
	"net/http"
	"net/url"

	"mfabridge/cloud"
)

// Restorable implements [cloud.Restorer]: who was deleted can be restored for 30
// days (api/directory-deleteditems-get), with the methods. Who is restored just
// now may be in neither place for a moment: only who stays away is gone.
func (d *Directory) Restorable(ctx context.Context, ids []cloud.UserID) ([]bool, error) {
	can := make([]bool, len(ids))
	for _, pause := range visible {
		var items []*item
		var at []int
		for k, id := range ids {
			if can[k] {
				continue
			}
			for _, place := range []string{"/directory/deletedItems/", "/users/"} {
				items, at = append(items, &item{method: http.MethodGet, path: place + url.PathEscape(string(id)) + "?$select=id"}), append(at, k)
			}
		}
		if len(items) == 0 {
			break
		}
		if err := d.o.Sleep(ctx, pause); err != nil {
			return nil, err
		}
		if err := d.client.reads(ctx, v1, items); err != nil {
			return nil, err
		}
		for n, i := range items {
			if err := i.failed(); err != nil && !i.missing() {
				return nil, err
			}
			can[at[n]] = can[at[n]] || i.ok()
		}
	}
	return can, nil
}
