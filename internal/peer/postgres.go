package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Cluster is a PostgreSQL server of its own, with its own data, on a free port
// of the loopback and a socket in its folder. Everybody there may connect as
// postgres. It flushes to disk as a real one does.
type Cluster struct {
	bin, folder string
	port        int
	schemas     atomic.Int64 // that were given out
	log         *os.File
	cmd         *exec.Cmd
	ended       chan struct{}  // closed when cmd has ended
	guard       io.WriteCloser // ends the server when it is closed, or we are gone
}

// NewCluster makes a cluster and starts it. Where PostgreSQL is not installed,
// it returns nil and no error. The caller stops it; a test binary does so in
// TestMain, so that its tests share one.
func NewCluster() (*Cluster, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if path, err := exec.LookPath("postgres"); err == nil && len(found) == 0 {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil, nil
	}
	folder, err := os.MkdirTemp("", "mfa-pg-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: filepath.Dir(found[len(found)-1]), folder: folder}
	if err := c.make(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Postgres is a cluster for one test.
func Postgres(t testing.TB) *Cluster {
	t.Helper()
	c, err := NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	NeedCluster(t, c)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// NeedCluster skips a test, or fails it where skips are forbidden, for which
// there is no cluster.
func NeedCluster(t testing.TB, c *Cluster) {
	t.Helper()
	if c == nil {
		missing(t, "postgres", "postgresql")
	}
}

// make is initdb. Neither it nor the server runs as root.
func (c *Cluster) make() error {
	var err error
	if c.port, err = freePort(); err != nil {
		return err
	}
	cmd := c.command("initdb", "-D", filepath.Join(c.folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
	if err := c.own(); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	if c.log, err = os.Create(c.folder + ".log"); err != nil {
		return err
	}
	conf := fmt.Sprintf("listen_addresses='127.0.0.1'\nport=%d\nunix_socket_directories='%s'\nshared_buffers=32MB\nmax_connections=200\n"+
		"autovacuum_naptime=10min\nlog_min_messages=fatal\n", c.port, c.folder)
	f, err := os.OpenFile(filepath.Join(c.folder, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(conf)
	return errors.Join(err, f.Close())
}

// own gives the folder to the user as whom the server runs.
func (c *Cluster) own() error {
	if id := unprivileged(); id != nil {
		return os.Chown(c.folder, int(id.Uid), int(id.Gid))
	}
	return nil
}

// unprivileged is the user postgres, or nobody, where we are root.
func unprivileged() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	id := &syscall.Credential{Uid: 65534, Gid: 65534}
	if u, err := user.Lookup("postgres"); err == nil {
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		id.Uid, id.Gid = uint32(uid), uint32(gid)
	}
	return id
}

func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir, cmd.Env = c.folder, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + c.folder}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged()}
	return cmd
}

// Start starts the server and waits until it takes connections.
func (c *Cluster) Start() error {
	c.cmd = c.command("postgres", "-D", filepath.Join(c.folder, "data"))
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	c.ended = ended
	go func(cmd *exec.Cmd) { _ = cmd.Wait(); close(ended) }(c.cmd) // killed ones have no good status
	if err := c.watch(); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if c.command("pg_isready", "-q", "-h", c.folder, "-p", strconv.Itoa(c.port)).Run() == nil {
			return nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(c.log.Name())
			return fmt.Errorf("postgres ended: %s", bytes.TrimSpace(text))
		case <-limit.Done():
			return errors.New("postgres does not take connections")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// watch makes sure that the server does not outlive a test binary that is
// killed: a shell waits for the end of its input, which comes then.
func (c *Cluster) watch() (err error) {
	guard := exec.Command("sh", "-c", `read -r _; kill -QUIT "$1" 2>/dev/null; sleep 1; rm -rf "$2" "$2.log"`, "sh", strconv.Itoa(c.cmd.Process.Pid), c.folder)
	if c.guard, err = guard.StdinPipe(); err != nil {
		return err
	}
	if err := guard.Start(); err != nil {
		return err
	}
	go func(ended chan struct{}) {
		<-ended
		_ = guard.Process.Kill() // nothing is left to guard
		_ = guard.Wait()
	}(c.ended)
	return nil
}

// Kill ends all of the server's processes by SIGKILL, as a crash does.
func (c *Cluster) Kill() {
	children := childrenOf(c.cmd.Process.Pid)
	_ = c.cmd.Process.Kill() // it may have ended
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL) // likewise
	}
	<-c.ended
	for _, pid := range children { // a new server waits for none of the old
		for syscall.Kill(pid, 0) == nil && !isZombie(pid) {
			<-time.After(5 * time.Millisecond)
		}
	}
}

func childrenOf(pid int) (pids []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := bytes.Cut(text, []byte(") "))
	return err != nil || bytes.HasPrefix(after, []byte("Z"))
}

// CPU is the user and system time of all of the server's processes that run
// now, and of those that have ended.
func (c *Cluster) CPU() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	var ticks int64
	pids := append(childrenOf(c.cmd.Process.Pid), c.cmd.Process.Pid)
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, after, _ := bytes.Cut(text, []byte(") "))
		fields := strings.Fields(string(after))
		if len(fields) < 15 {
			continue
		}
		used := fields[11:13]
		if pid == c.cmd.Process.Pid {
			used = slices.Concat(used, fields[13:15])
		}
		for _, f := range used {
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// Stop ends the server and removes its data. A nil cluster has nothing to stop.
func (c *Cluster) Stop() error {
	if c == nil {
		return nil
	}
	if c.ended != nil {
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended
		<-c.ended
	}
	return errors.Join(c.log.Close(), os.Remove(c.log.Name()), os.RemoveAll(c.folder))
}

// Address is the address of a place of its own for a store: a schema that does
// not exist yet, named by search_path.
func (c *Cluster) Address(t testing.TB) (address, schema string) {
	t.Helper()
	NeedCluster(t, c)
	schema = fmt.Sprintf("s%d", c.schemas.Add(1))
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?search_path=%s", c.port, schema), schema
}

// SQL runs statements by psql and returns what it prints, without headers.
func (c *Cluster) SQL(statements string) (string, error) {
	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", c.port)
	out, err := c.command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", statements).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Successor is a server that takes over from this one, with what that has by now,
// on another port: Start begins it. Both take writes then, where nobody stops the
// first. The caller stops it.
func (c *Cluster) Successor() (next *Cluster, err error) {
	folder, err := os.MkdirTemp("", "mfa-pg-")
	if err != nil {
		return nil, err
	}
	next = &Cluster{bin: c.bin, folder: folder}
	if next.port, err = freePort(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err = next.own(); err == nil {
		err = next.copyOf(c)
	}
	if err == nil {
		next.log, err = os.Create(folder + ".log")
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return next, nil
}

// copyOf takes the data of another server, set up to end its recovery at once.
func (c *Cluster) copyOf(from *Cluster) error {
	data := filepath.Join(c.folder, "data")
	out, err := c.command("pg_basebackup", "-h", from.folder, "-p", strconv.Itoa(from.port), "-U", "postgres", "-D", data, "-c", "fast", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, bytes.TrimSpace(out))
	}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conf, "port=%d\nunix_socket_directories='%s'\nrestore_command='false'\nhot_standby=off\n", c.port, c.folder)
	return errors.Join(err, conf.Close(), os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o644))
}

// Host is where it takes connections.
func (c *Cluster) Host() string { return fmt.Sprintf("127.0.0.1:%d", c.port) }

// Dump writes a schema as pg_dump does.
func (c *Cluster) Dump(schema string) ([]byte, error) {
	cmd := c.command("pg_dump", "-h", c.folder, "-p", strconv.Itoa(c.port), "-U", "postgres", "-Fc", "-n", schema, "postgres")
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w: %s", err, bytes.TrimSpace(failed.Bytes()))
	}
	return out, nil
}

// Restore brings a dump back as pg_restore does; what of it is there already is
// replaced.
func (c *Cluster) Restore(dump []byte) error {
	cmd := c.command("pg_restore", "-h", c.folder, "-p", strconv.Itoa(c.port), "-U", "postgres", "-d", "postgres", "--clean", "--if-exists", "--exit-on-error", "--single-transaction")
	cmd.Stdin = bytes.NewReader(dump)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_restore: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
