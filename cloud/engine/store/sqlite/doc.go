// Package sqlite keeps an engine in one SQLite file: [Create] makes it,
// [Open] opens it, and [Store] is the engine's contract of the same name.
//
// # Durability
//
// The file is in WAL mode with synchronous=FULL: what Update acknowledged
// survives a crash of the process and of the machine. One goroutine owns the
// only writing connection. It takes the functions that wait, runs each inside
// a savepoint of one transaction, and commits them together, so that many
// callers share one flush of the disk. A function that fails undoes only its
// own savepoint; a commit that fails fails all.
//
// # Several processes
//
// Any number of processes may have a store open. Their writes are serial
// through SQLite's own locks, and nothing is cached beside the database.
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
