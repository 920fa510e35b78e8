package engine

import (
	"container/heap"
	"context"
	"iter"

	"mfabridge/cloud"
)

// memberBuffer is how many ids one listing of members holds, over all groups
// that it reads from.
const memberBuffer = 16 << 10

// Members implements [cloud.GroupReader]: the users of a group and of all
// groups within it, ascending by id. The nesting is that of the moment of the
// call; users are read page by page.
func (e *Engine) Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error] {
	return func(yield func(cloud.UserID, error) bool) {
		var sources sources
		err := e.store.View(ctx, func(r Reader) error {
			g, err := findGroup(r, group)
			if err != nil {
				return err
			}
			ids, err := nested(r, g.ID)
			if err != nil {
				return err
			}
			sources = make([]*source, 0, len(ids))
			for _, id := range ids {
				s := &source{group: id, page: min(pageSize, max(1, memberBuffer/len(ids)))}
				if err := s.fill(r); err != nil {
					return err
				}
				if len(s.ids) > 0 {
					sources = append(sources, s)
				}
			}
			return nil
		})
		if err != nil {
			yield("", asError(err))
			return
		}
		e.merge(ctx, sources, yield)
	}
}

// merge yields the ids of ascending sources in ascending order, each once.
func (e *Engine) merge(ctx context.Context, all sources, yield func(cloud.UserID, error) bool) {
	heap.Init(&all)
	last := ""
	for len(all) > 0 {
		s := all[0]
		id := s.ids[0]
		s.ids = s.ids[1:]
		if id != last && !yield(cloud.UserID(id), nil) {
			return
		}
		last = id
		if len(s.ids) == 0 && !s.ended {
			if err := e.store.View(ctx, s.fill); err != nil {
				yield("", asError(err))
				return
			}
		}
		if len(s.ids) == 0 {
			heap.Pop(&all)
		} else {
			heap.Fix(&all, 0)
		}
	}
}

// source is one group's direct users, of which a page is at hand.
type source struct {
	group string
	page  int
	last  string
	ids   []string
	ended bool
}

func (s *source) fill(r Reader) error {
	ids, err := r.MembersAfter(s.group, MemberUser, s.last, s.page)
	if err != nil {
		return err
	}
	s.ids, s.ended = ids, len(ids) < s.page
	if len(ids) > 0 {
		s.last = ids[len(ids)-1]
	}
	return nil
}

// sources is a heap by the next id.
type sources []*source

func (s sources) Len() int           { return len(s) }
func (s sources) Less(i, j int) bool { return s[i].ids[0] < s[j].ids[0] }
func (s sources) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push implements [heap.Interface].
func (s *sources) Push(x any) { *s = append(*s, x.(*source)) }

// Pop implements [heap.Interface].
func (s *sources) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}
