package spill_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/internal/spill"
)

func collect(t *testing.T, s *spill.Sorter) [][]byte {
	t.Helper()
	var got [][]byte
	for rec, err := range s.Sorted() {
		if err != nil {
			t.Fatalf("after %d records: %v", len(got), err)
		}
		got = append(got, bytes.Clone(rec))
	}
	return got
}

func addAll(t *testing.T, s *spill.Sorter, records [][]byte) {
	t.Helper()
	for i, rec := range records {
		if err := s.Add(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

// random makes records that share prefixes, are equal, empty, or long.
func random(n int, seed uint64) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	records := make([][]byte, n)
	for i := range records {
		size := r.IntN(40)
		if r.IntN(200) == 0 {
			size = r.IntN(200 << 10)
		}
		b := make([]byte, size)
		for j := range b {
			b[j] = byte(r.IntN(3)) * 127
		}
		records[i] = b
	}
	return records
}

func TestSortedEqualsSlicesSort(t *testing.T) {
	for _, memory := range []int{0, spill.MinMemory, 64 << 10, 3 << 20} {
		for _, n := range []int{0, 1, 2, 100, 5000} {
			t.Run(fmt.Sprintf("memory %d, %d records", memory, n), func(t *testing.T) {
				records := random(n, uint64(n))
				s := spill.New(spill.Options{Dir: t.TempDir(), Memory: memory})
				defer s.Close()
				addAll(t, s, records)
				slices.SortFunc(records, bytes.Compare)
				for range 2 { // Sorted may be called again
					if got := collect(t, s); !slices.EqualFunc(got, records, bytes.Equal) {
						t.Fatalf("%d records come back in another order or number (%d)", n, len(got))
					}
				}
				if s.Len() != int64(n) {
					t.Errorf("Len is %d, want %d", s.Len(), n)
				}
			})
		}
	}
}

// More than MaxRuns runs, several times over, so that merged runs are merged.
func TestManyRuns(t *testing.T) {
	s := spill.New(spill.Options{Dir: t.TempDir(), Memory: spill.MinMemory})
	defer s.Close()
	r := rand.New(rand.NewPCG(7, 7))
	want := make([][]byte, 40_000)
	for i := range want {
		want[i] = fmt.Appendf(nil, "%08d", r.IntN(1_000_000))
	}
	addAll(t, s, want)
	slices.SortFunc(want, bytes.Compare)
	if got := collect(t, s); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatal("records come back in another order or number")
	}
}

func TestRecordLimit(t *testing.T) {
	s := spill.New(spill.Options{Dir: t.TempDir(), Memory: spill.MinMemory})
	defer s.Close()
	longest := bytes.Repeat([]byte{7}, spill.MaxRecord)
	addAll(t, s, [][]byte{longest, {}, longest, {}, {1}})
	got := collect(t, s)
	want := [][]byte{{}, {}, {1}, longest, longest}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got %d records, want %d", len(got), len(want))
	}
}

// Of a sorter that has refused a record nobody gets the others, as if they were
// all.
func TestRefusedRecordIsFinal(t *testing.T) {
	s := spill.New(spill.Options{Dir: t.TempDir(), Memory: spill.MinMemory})
	defer s.Close()
	addAll(t, s, random(2000, 3))
	refused := s.Add(make([]byte, spill.MaxRecord+1))
	if refused == nil {
		t.Fatal("a record above the limit is taken")
	}
	if err := s.Add([]byte{1}); err != refused {
		t.Errorf("another one: %v", err)
	}
	for rec, err := range s.Sorted() {
		if err != refused {
			t.Errorf("%q, %v", rec, err)
		}
	}
}

// An empty record after a full chunk has an address too.
func TestEmptyAfterFullChunk(t *testing.T) {
	s := spill.New(spill.Options{Dir: t.TempDir(), Memory: 8 << 20})
	defer s.Close()
	longest := bytes.Repeat([]byte{7}, spill.MaxRecord)
	want := [][]byte{{}, {}, longest, longest}
	addAll(t, s, [][]byte{longest, {}, longest, {}})
	if got := collect(t, s); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Error("records come back in another order or number")
	}
}

func TestAddAfterSorted(t *testing.T) {
	s := spill.New(spill.Options{})
	defer s.Close()
	s.Sorted()
	if s.Add([]byte("late")) == nil {
		t.Error("a record is taken after Sorted")
	}
}

func TestClosed(t *testing.T) {
	for _, memory := range []int{0, spill.MinMemory} {
		s := spill.New(spill.Options{Dir: t.TempDir(), Memory: memory})
		addAll(t, s, random(2000, 3))
		var failed bool
		for _, err := range s.Sorted() {
			if err != nil {
				failed = true
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if !failed {
			t.Errorf("memory %d: an iteration over a closed sorter ends as if it were complete", memory)
		}
		for range s.Sorted() {
			break
		}
		if s.Add(nil) == nil {
			t.Errorf("memory %d: a closed sorter takes a record", memory)
		}
		if err := s.Close(); err != nil {
			t.Errorf("memory %d: second Close: %v", memory, err)
		}
	}
}

func TestSmallInputStaysInMemory(t *testing.T) {
	s := spill.NewOn(0, func() (spill.File, error) { return nil, errors.New("a file is opened") })
	defer s.Close()
	addAll(t, s, [][]byte{[]byte("b"), []byte("a")})
	if got := collect(t, s); len(got) != 2 {
		t.Errorf("got %d records", len(got))
	}
}

// A sorter that has spilled leaves no name and no file behind.
func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	s := spill.New(spill.Options{Dir: dir, Memory: spill.MinMemory})
	addAll(t, s, random(3000, 5))
	for range s.Sorted() {
		break // an iteration that is given up
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFolderMissing(t *testing.T) {
	s := spill.New(spill.Options{Dir: filepath.Join(t.TempDir(), "none"), Memory: spill.MinMemory})
	defer s.Close()
	var err error
	for _, rec := range random(3000, 5) {
		if err = s.Add(rec); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "temporary sort file") {
		t.Errorf("got %v", err)
	}
}

// memFile is a temporary file that can be looked into, altered, and full.
type memFile struct {
	bytes.Buffer
	limit  int
	closed bool
}

func (f *memFile) Write(b []byte) (int, error) {
	if f.limit > 0 && f.Len()+len(b) > f.limit {
		n, _ := f.Buffer.Write(b[:f.limit-f.Len()])
		return n, errors.New("no space left on device")
	}
	return f.Buffer.Write(b)
}

func (f *memFile) ReadAt(b []byte, at int64) (int, error) {
	return bytes.NewReader(f.Bytes()).ReadAt(b, at)
}

func (f *memFile) Close() error { f.closed = true; return nil }

func spilled(t *testing.T, f *memFile) *spill.Sorter {
	t.Helper()
	s := spill.NewOn(spill.MinMemory, func() (spill.File, error) { return f, nil })
	t.Cleanup(func() { s.Close() })
	for i := range 300 {
		if err := s.Add(fmt.Appendf(nil, "plain text %05d", (i*7919)%300)); err != nil {
			t.Fatal(err)
		}
	}
	s.Sorted()
	return s
}

func TestNoPlainText(t *testing.T) {
	f := &memFile{}
	spilled(t, f)
	if f.Len() == 0 || bytes.Contains(f.Bytes(), []byte("plain")) {
		t.Errorf("%d bytes are spilled, plain text among them: %v", f.Len(), f.Len() > 0)
	}
}

// Every single byte counts: wherever one is altered, reading ends with an
// error and no wrong record was yielded before.
func TestAlteredSpill(t *testing.T) {
	f := &memFile{}
	s := spilled(t, f)
	step := max(1, f.Len()/500)
	for at := 0; at < f.Len(); at += step {
		f.Bytes()[at] ^= 0x40
		checkBroken(t, s, fmt.Sprintf("byte %d altered", at))
		f.Bytes()[at] ^= 0x40
	}
	collect(t, s) // whole again
}

func TestCutAndSwappedSpill(t *testing.T) {
	f := &memFile{}
	s := spilled(t, f)
	whole := bytes.Clone(f.Bytes())
	first := 4 + int(whole[2])<<8 + int(whole[3])
	if first*2 > len(whole) {
		t.Fatalf("the spill of %d bytes has too few blocks", len(whole))
	}
	f.Truncate(len(whole) - 1)
	checkBroken(t, s, "last byte cut off")
	f.Reset()
	f.Write(whole)
	copy(f.Bytes()[first:], whole[:first]) // a sealed block in another place
	checkBroken(t, s, "first block repeated")
}

func checkBroken(t *testing.T, s *spill.Sorter, what string) {
	t.Helper()
	errs := 0
	for rec, err := range s.Sorted() {
		switch {
		case err != nil:
			errs++
		case errs > 0:
			t.Errorf("%s: a record follows an error", what)
		case !bytes.HasPrefix(rec, []byte("plain text ")):
			t.Errorf("%s: yields %q", what, rec)
		}
	}
	if errs != 1 {
		t.Errorf("%s: %d errors, want 1", what, errs)
	}
}

func TestDiskFull(t *testing.T) {
	f := &memFile{limit: 10_000}
	s := spill.NewOn(spill.MinMemory, func() (spill.File, error) { return f, nil })
	var first error
	for _, rec := range random(5000, 9) {
		if first = s.Add(rec); first != nil {
			break
		}
	}
	if first == nil || !strings.Contains(first.Error(), "no space left") || hint.Of(first) == "" {
		t.Fatalf("got %v", first)
	}
	if again := s.Add([]byte("x")); again != first {
		t.Errorf("the error is not final: %v", again)
	}
	yields := 0
	for _, err := range s.Sorted() {
		yields++
		if err == nil {
			t.Error("a record is yielded after a failed write")
		}
	}
	if err := s.Close(); err != nil || !f.closed || yields != 1 {
		t.Errorf("Close: %v, file closed: %v, %d yields", err, f.closed, yields)
	}
}

func BenchmarkSort(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	rec := make([]byte, 100)
	for b.Loop() {
		s := spill.New(spill.Options{Dir: b.TempDir()})
		for range 500_000 {
			n := r.Uint64()
			copy(rec, fmt.Appendf(nil, "user%016x@contoso.example", n))
			if err := s.Add(rec); err != nil {
				b.Fatal(err)
			}
		}
		for _, err := range s.Sorted() {
			if err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
	b.ReportMetric(500_000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
