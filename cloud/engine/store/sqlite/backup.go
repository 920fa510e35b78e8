package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/queue"
	"mfabridge/internal/hint"
)

// Backup writes the store as it is at one moment into a file, which must be
// empty and private already. Others go on reading and writing meanwhile; what
// was deleted is not in it.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	select {
	case <-s.queue.Closing():
		return queue.Closed()
	default:
	}
	c, err := dial(s.path, "rw", "", busyTimeout)
	if err != nil {
		return unavailable("the store cannot be opened for a backup", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	_, err = c.raw.ExecContext(ctx, "VACUUM INTO '"+strings.ReplaceAll(path, "'", "''")+"'", nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return hint.Wrap(unavailable("the backup cannot be written", err), "make room where it is to go, and name a folder that may be written")
	}
	return Intact(ctx, path)
}

// Intact looks at every page of a store's file.
func Intact(ctx context.Context, path string) (err error) {
	c, err := dial(path, "ro", "", busyTimeout)
	if err != nil {
		return broken(path, err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := owned(c, path); err != nil {
		return err
	}
	rows, err := c.raw.QueryContext(ctx, "PRAGMA integrity_check(1)", nil)
	if err != nil {
		return broken(path, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return broken(path, err)
	}
	if row[0] != "ok" {
		return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("the file %s is damaged", path)}, "take another backup")
	}
	return nil
}

// Publish gives a finished, closed store its name, without ever replacing a
// file.
func Publish(temp, path string) error { return publish(temp, path) }

// Remove deletes the files of a store that was closed, as far as they exist.
func Remove(path string) error { return remove(path) }
