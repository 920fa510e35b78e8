package journal

import "os"

// SyncBy has lines made durable by another function than fsync.
func (j *Journal) SyncBy(sync func(*os.File) error) { j.sync = sync }
