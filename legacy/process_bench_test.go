//go:build unix

package legacy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"mfabridge/fixtures"
	"mfabridge/fixtures/gen"
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
)

// Where these are set the test binary reads an export, so that a benchmark can
// ask the system what that took: CPU time and the most memory.
const (
	envExport   = "MFABRIDGE_BENCH_EXPORT"
	envIdentity = "MFABRIDGE_BENCH_IDENTITY"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envExport); path != "" {
		if err := readWhole(path, os.Getenv(envIdentity)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(mostMemory())
		return
	}
	os.Exit(m.Run())
}

// readWhole does what inspect does before it says anything: checks all, joins
// all, yields all, and reads the numbers.
func readWhole(path, identity string) error {
	var o legacy.Options
	if identity != "" {
		id, err := age.ParseX25519Identity(identity)
		if err != nil {
			return err
		}
		o.Identities = append(o.Identities, id)
	}
	e, err := legacy.Open(context.Background(), path, o)
	if err != nil {
		return err
	}
	defer e.Close()
	parser, err := phone.NewParser(phone.Options{DefaultCountry: "US"})
	if err != nil {
		return err
	}
	for u, err := range e.Users(context.Background()) {
		if err != nil {
			return err
		}
		for _, f := range []legacy.PhoneFields{u.Phone, u.BackupPhone} {
			if !f.IsZero() {
				parser.Parse(phone.Input{CountryCode: f.CountryCode, Number: f.Number, Extension: f.Extension})
			}
		}
	}
	for _, err := range e.Problems() {
		if err != nil {
			return err
		}
	}
	return nil
}

// mostMemory is the most that this process had resident, in KiB. What getrusage
// says is that of the parent where that was more.
func mostMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(status) {
		var kib int64
		if n, _ := fmt.Sscanf(string(line), "VmHWM: %d kB", &kib); n == 1 {
			return kib
		}
	}
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Maxrss
}

// BenchmarkReadProcess: 1,000,000 users with devices and tokens in another
// order, phones included, within 25 CPU seconds and 128 MiB; no more memory
// for other sizes and shapes. MFABRIDGE_BENCH_USERS is another size.
func BenchmarkReadProcess(b *testing.B) {
	million := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("MFABRIDGE_BENCH_USERS")); err == nil {
		million = n
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct {
		shape string
		users int
		make  func(b *testing.B, dir string) string
	}{
		{"csv", million, func(_ *testing.B, dir string) string { return dir }},
		{"csv", million / 10, func(_ *testing.B, dir string) string { return dir }},
		{"zip.age", million, func(b *testing.B, dir string) string { return sealedExport(b, dir, id.Recipient()) }},
		{"xml", million / 10, func(b *testing.B, dir string) string { return inForm(b, dir, "users.xml", fixtures.XMLRows) }},
		{"jsonl", million / 10, func(b *testing.B, dir string) string { return inForm(b, dir, "users.jsonl", fixtures.JSONLines) }},
	} {
		b.Run(fmt.Sprintf("%s/users=%d", bm.shape, bm.users), func(b *testing.B) {
			dir := b.TempDir()
			if err := gen.Write(dir, gen.Options{Users: bm.users, Seed: 5, Unsorted: true, DeviceSecrets: true}); err != nil {
				b.Fatal(err)
			}
			path := bm.make(b, dir)
			for b.Loop() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), envExport+"="+path, envIdentity+"="+id.String())
				out, err := cmd.CombinedOutput()
				if err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				kib, err := strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "CPU-s")
				b.ReportMetric(kib/1024, "MiB")
			}
		})
	}
}

// inForm replaces users.csv.
func inForm(b *testing.B, dir, name string, form func([]byte) []byte) string {
	b.Helper()
	csv := filepath.Join(dir, "users.csv")
	text, err := os.ReadFile(csv)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), form(text), 0o600)
	}
	if err == nil {
		err = os.Remove(csv)
	}
	if err != nil {
		b.Fatal(err)
	}
	return dir
}

func sealedExport(b *testing.B, dir string, to age.Recipient) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "export.zip.age")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, err := age.Encrypt(f, to)
	if err != nil {
		b.Fatal(err)
	}
	z := zip.NewWriter(w)
	if err := z.AddFS(os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkXMLTable reads the rows of users.xml beside the bare tokens of
// encoding/xml, in turns. The bar is 5 times.
func BenchmarkXMLTable(b *testing.B) {
	text := fixtures.XMLRows(generated(b))
	var mine, theirs time.Duration
	for b.Loop() {
		begun := used(b)
		if n, err := legacy.XMLCount(bytes.NewReader(text)); err != nil || n < 40_000 {
			b.Fatal(n, err)
		}
		between := used(b)
		for d := xml.NewDecoder(bytes.NewReader(text)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		mine, theirs = mine+between-begun, theirs+used(b)-between
	}
	b.ReportMetric(mine.Seconds()/float64(b.N), "CPU-s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "encoding/xml-CPU-s")
	b.ReportMetric(float64(theirs)/float64(mine), "times-faster")
}
