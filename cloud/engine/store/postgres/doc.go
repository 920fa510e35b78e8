// Package postgres keeps an engine in a schema of a PostgreSQL database
// (version 13 and later), for several engine processes on several machines:
// [Init] makes it, [Open] opens it, and [Store] is the engine's contract of
// the same name.
//
// # One writer at a time
//
// The contract promises that updates are serial across all processes. Here an
// advisory lock of the transaction keeps that promise: whoever has it reads
// what everybody before has written, and nobody writes meanwhile. So a code is
// used once however many nodes are asked with it, whatever rows a verdict
// touches, today and after the next verb; there is one lock, so there are no
// deadlocks, no serialisation failures and nothing to retry. What it would
// cost is won back in two ways. One goroutine a process owns the writing
// connection and commits together what waits, so that many callers share one
// flush of the disk. And a statement whose result nobody needs is not sent at
// once: it travels with the next that reads, or with the commit.
//
// # Updates together
//
// The updates of one transaction stand or fall together. An update that fails
// before anything of it was sent is simply left out. Otherwise, and where the
// server refuses a statement, the transaction is undone and each of its updates
// gets one of its own: that is why a function may run more than once.
//
// # What a broken connection leaves open
//
// If the connection breaks before the commit was sent, nothing was written:
// after a new connection the updates run again. If it breaks after that, the
// outcome is looked up: each transaction writes its number into the row of its
// process, and whoever holds the lock and reads that row knows whether it was
// committed. Only where no server can be reached for [resolvePatience] the
// answer is an error of kind Internal, which promises nothing.
//
// A server that is told to wait for standbys, and stops waiting because of a
// limit or an administrator, has committed all the same and says so in a
// warning only. Nothing is answered then before a later commit of the same
// process was confirmed, which confirms what came before it.
//
// A process that stands still while it holds the lock loses its connection
// after [idleLimit]; one that dies loses it at once. A machine that is gone is
// noticed by keepalives, by the server within half a minute, and by us within
// [goneLimit].
//
// # Durability
//
// synchronous_commit is raised to on where it is off, and never lowered: with
// synchronous standbys a verdict waits for them if the server is set up so. A
// server with fsync=off is refused.
//
// # The place
//
// A target is a URL, postgres://USER@HOST[:PORT]/DATABASE?…, or a list of
// hosts, of which the one is used that takes writes, and of two such the one that
// has taken over from the other; unless connect_timeout says otherwise they share
// [dialPatience]. The password comes from where libpq
// looks for it (PGPASSWORD, PGPASSFILE, ~/.pgpass), never from the URL; it and
// certificates are read anew for each connection. Over a network the server's
// certificate is checked (sslmode=verify-full) unless another sslmode says
// otherwise; those that may end up without TLS are refused. Tables live in the
// schema "mfabridge", or in the one that search_path names. A pooler in front
// has to keep sessions; one that is seen not to is refused.
//
// The schema's version is in the table store_version; a newer one is refused,
// an older one is brought forward, under a lock, by whoever opens it first.
package postgres
