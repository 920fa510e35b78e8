package legacy_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mfabridge/fixtures/gen"
	"mfabridge/legacy"
)

func split(t *testing.T, text string) []legacy.SplitRow {
	t.Helper()
	rows, err := legacy.Split(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSplit(t *testing.T) {
	row := func(line int, pairs ...string) legacy.SplitRow {
		r := legacy.SplitRow{Line: line}
		for i := 0; i < len(pairs); i += 2 {
			r.Values, r.Places = append(r.Values, pairs[i]), append(r.Places, pairs[i+1])
		}
		return r
	}
	for name, tt := range map[string]struct {
		text string
		want []legacy.SplitRow
	}{
		"nothing":             {"", nil},
		"blank lines":         {"\n\r\n\n", nil},
		"one value":           {"a", []legacy.SplitRow{row(1, "a", "1:1")}},
		"LF and CR LF":        {"a,b\nc,d\r\n", []legacy.SplitRow{row(1, "a", "1:1", "b", "1:3"), row(2, "c", "2:1", "d", "2:3")}},
		"empty values":        {",,\n", []legacy.SplitRow{row(1, "", "1:1", "", "1:2", "", "1:3")}},
		"a quoted nothing":    {"\"\"\n", []legacy.SplitRow{row(1, "", "1:1")}},
		"quotes and commas":   {"\"a,b\",\"c \"\"d\"\"\"\n", []legacy.SplitRow{row(1, "a,b", "1:1", `c "d"`, "1:7")}},
		"line ends in quotes": {"\"a\r\nb\nc\",d\r\ne", []legacy.SplitRow{row(1, "a\r\nb\nc", "1:1", "d", "3:4"), row(4, "e", "4:1")}},
		"columns count bytes": {"é,ü\n", []legacy.SplitRow{row(1, "é", "1:1", "ü", "1:4")}},
		"CR within a value":   {"a\rb,c\n", []legacy.SplitRow{row(1, "a\rb", "1:1", "c", "1:5")}},
		"CR at the end":       {"a,\"b\"\r", []legacy.SplitRow{row(1, "a", "1:1", "b", "1:3")}},
		"blank lines count":   {"\n\na", []legacy.SplitRow{row(3, "a", "3:1")}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, split(t, tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A row that cannot be read names its place and costs nothing but itself.
func TestSplitBadRows(t *testing.T) {
	for name, tt := range map[string]struct{ text, place, phrase string }{
		"quote within a value":    {"a,b\"c\nnext,x\n", "1:4", "a quote stands within"},
		"text after a quote":      {"a,\"b\"c\nnext,x\n", "1:6", "follows the closing quote"},
		"CR after a quote":        {"a,\"b\"\rc\nnext,x\n", "1:6", "follows the closing quote"},
		"quote never closed":      {"a,\"b\nnext,x\n", "1:3", "never closed"},
		"quote closed far behind": {"a,\"b\nnext,x\nc,\"d\"\n", "3:4", "follows the closing quote"},
		"not UTF-8":               {"a,\xffb\nnext,x\n", "1:3", "not UTF-8"},
		"not UTF-8, quoted":       {"a,\"b\n\xe9\"\nnext,x\n", "1:3", "not UTF-8"},
		"NUL":                     {"a,b\x00\nnext,x\n", "1:3", "NUL"},
		"too many fields":         {strings.Repeat(",", legacy.MaxColumns) + "\nnext,x\n", fmt.Sprintf("1:%d", legacy.MaxColumns+1), "more than 512 fields"},
		"too long":                {strings.Repeat("a", legacy.MaxRow) + "\nnext,x\n", "1:0", "longer"},
		"far too long":            {strings.Repeat("a", 5<<20) + "\nnext,x\n", "1:0", "longer"},
		"quote open for too long": {"a,\"" + strings.Repeat("b", legacy.MaxRow) + "\nnext,x\n", "1:3", "not closed within"},
	} {
		t.Run(name, func(t *testing.T) {
			rows := split(t, tt.text)
			if len(rows) < 2 || !strings.HasPrefix(rows[0].Bad, tt.place+" ") || !strings.Contains(rows[0].Bad, tt.phrase) {
				t.Fatalf("got %.300v, want %s … %s", rows, tt.place, tt.phrase)
			}
			found := false
			for _, r := range rows[1:] {
				found = found || r.Bad == "" && cmp.Equal(r.Values, []string{"next", "x"})
			}
			if !found {
				t.Errorf("the row after it is lost: %.300v", rows[1:])
			}
		})
	}
}

// The longest row that is read, wherever it lies in the buffer.
func TestSplitLongestRow(t *testing.T) {
	long := strings.Repeat("a", legacy.MaxRow-1)
	text := strings.Repeat(long+"\n", 9)
	for i, r := range split(t, text) {
		if r.Bad != "" || len(r.Values) != 1 || r.Values[0] != long {
			t.Fatalf("row %d: %s, %d values", i, r.Bad, len(r.Values))
		}
	}
}

func TestSplitReadError(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := legacy.Split(io.MultiReader(strings.NewReader("a,b\nc,"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// encoding/csv is the oracle: what it reads without complaint is read alike,
// with the same places. Only it makes CR LF within quotes a LF.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n", "\"a\"\"b\",\"c\nd\"\r\n,e", "\n\n\"\"\n", "a\"b\n", "\"a\n", "é,\"ü\"\r\n", "\"a\"b\nc", "\r\n\r", "a\r\r\n", "\"a\r\nb\",c\r\n\"d\"\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := legacy.Split(iotest.HalfReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if row.Bad != "" && len(row.Values) > 0 {
				t.Fatalf("a row is both bad and there: %+v", row)
			}
		}
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			return
		}
		want, clean := oracle(text)
		if !clean {
			return
		}
		for i := range rows {
			if rows[i].Bad != "" {
				t.Fatalf("row %d is bad, encoding/csv reads it: %s", i, rows[i].Bad)
			}
			for j, v := range rows[i].Values {
				rows[i].Values[j] = strings.ReplaceAll(v, "\r\n", "\n")
			}
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Fatal(diff)
		}
	})
}

// oracle reads with encoding/csv; false: it complains.
func oracle(text []byte) ([]legacy.SplitRow, bool) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	var rows []legacy.SplitRow
	for {
		values, err := r.Read()
		if err == io.EOF {
			return rows, true
		}
		if err != nil || len(values) > legacy.MaxColumns {
			return nil, false
		}
		row := legacy.SplitRow{Values: values}
		for i := range values {
			line, col := r.FieldPos(i)
			row.Places = append(row.Places, fmt.Sprintf("%d:%d", line, col))
			if i == 0 {
				row.Line = line
			}
		}
		rows = append(rows, row)
	}
}

func generated(b *testing.B) []byte {
	dir := b.TempDir()
	if err := gen.Write(dir, gen.Options{Users: 50_000, Seed: 1}); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "users.csv"))
	if err != nil {
		b.Fatal(err)
	}
	return text
}

func BenchmarkSplitter(b *testing.B) {
	text := generated(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := legacy.SplitCount(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}

// The anchor of BenchmarkSplitter.
func BenchmarkEncodingCSV(b *testing.B) {
	text := generated(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(text))
		r.ReuseRecord, r.FieldsPerRecord = true, -1
		for {
			if _, err := r.Read(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// A value loses the space around it, whatever of Unicode's it is.
func TestTrimmed(t *testing.T) {
	ends := []string{"", " ", "\t", "\r\n", "\u00a0", "\u2003", "\x85", "\x00", "\x7f", "a", "é", "~", "!"}
	for _, left := range ends {
		for _, middle := range []string{"", "x", "x y"} {
			for _, right := range ends {
				text := left + middle + right
				if got, want := string(legacy.Trimmed([]byte(text))), strings.TrimSpace(text); got != want {
					t.Errorf("%q: %q, not %q", text, got, want)
				}
			}
		}
	}
}
