package sqlite

// Stats are counts of this process since it opened the store.
type Stats struct {
	Commits   uint64 // transactions that became durable
	Updates   uint64 // calls of Update in them
	Abandoned uint64 // transactions that did not
	Queue     int    // calls of Update that wait now
}

// Stats reads them.
func (s *Store) Stats() Stats {
	return Stats{Commits: s.commits.Load(), Updates: s.updates.Load(), Abandoned: s.abandoned.Load(), Queue: s.queue.Len()}
}
