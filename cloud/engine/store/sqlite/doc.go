// Package sqlite keeps an engine in one SQLite file: [Create] makes it,
// [Open] opens it, and [Store] is the engine's contract of the same name.
//
// # Durability
//
// The file is in WAL mode with synchronous=FULL: what Update acknowledged
// survives a crash of the process and of the machine. One goroutine owns the
// only writing connection. It takes the functions that wait, runs them in one
// transaction and commits it, so that many callers share one flush of the
// disk. A function that fails undoes only what it did itself, by forgetting
// rows that were still to be written (late.go) or by a savepoint; a commit that
// fails fails all.
// Checkpoints are made beside it, on a connection of their own: nobody's commit
// waits for one.
//
// # Several processes
//
// Any number of processes may have a store open. Their writes are serial
// through SQLite's own locks. What is remembered between transactions, where
// keys of repeatable requests are found and how the audit's chains end, holds
// as long as nobody else has written, and the transaction that uses it asks.
// [Store.Lock] holds a second, empty database PATH.lock exclusively: the
// operating system ends that lock with the process.
//
// # Files
//
// PATH, PATH-wal and PATH-shm belong together and have mode 0600. A store is
// made under a temporary name and appears under its own once it is complete.
// The schema's version is in user_version, "MFBE" in application_id; a newer
// or foreign file is refused. The schema only ever moves forward.
package sqlite
