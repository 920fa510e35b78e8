package migrate

import "context"

// leftPage is how many users are looked up in the journal at once.
const leftPage = 1000

// left counts the users of whom something stands that the plan made, and to
// whom a run that has ended early did not come.
func (u *undoer) left(ctx context.Context) (n int, err error) {
	page := make([]Decision, 0, leftPage)
	look := func() error {
		if len(page) == 0 {
			return nil
		}
		tasks, err := u.tasks(ctx, page)
		for _, t := range tasks {
			if len(t.results) > 0 && !u.settled[t.d.Ordinal] {
				n++
			}
		}
		page = page[:0]
		return err
	}
	for d, err := range u.plan.Users(ctx, Bare) {
		if err != nil {
			return n, err
		}
		if len(d.Changes) == 0 || d.Ordinal <= u.through {
			continue
		}
		if page = append(page, d); len(page) == leftPage {
			if err := look(); err != nil {
				return n, err
			}
		}
	}
	return n, look()
}
