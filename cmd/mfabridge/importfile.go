package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mfabridge/cloud/engine"
)

// Limits on the file of an import.
const (
	maxImportRow = 64 << 10 // bytes of a row
	importBuffer = 4096     // bytes that the CSV reader reads ahead
)

// Columns of an import, as docs/engine.md has them.
var importColumns = [...]string{"UserPrincipalName", "Sid", "SamAccountName", "DisplayName", "Enabled", "UserType", "Roles", "Groups"}

// Places in importColumns.
const (
	columnUPN = iota
	columnSID
	columnSam
	columnDisplayName
	columnEnabled
	columnUserType
	columnRoles
	columnGroups
)

// importFile reads the users of an import, row by row.
type importFile struct {
	csv     *csv.Reader
	from    *bounded
	columns []int // of each field: index in importColumns
	line    int   // where the last row began
	ended   bool
}

// badRow is a row that says something wrong. Its message names no value.
type badRow struct {
	line, column int
	message      string
}

func (b *badRow) Error() string { return fmt.Sprintf("%d:%d: %s", b.line, b.column, b.message) }

// bounded ends a reading once a row grows too long: a quote that is never
// closed would make one row of the whole file.
type bounded struct {
	r     io.Reader
	read  int64
	start int64 // where the row begins
}

var errLongRow = errors.New("the row is too long, or a quote is never closed")

func (b *bounded) Read(p []byte) (int, error) {
	if b.read-b.start > maxImportRow+importBuffer {
		return 0, errLongRow
	}
	n, err := b.r.Read(p[:min(len(p), importBuffer)])
	b.read += int64(n)
	return n, err
}

// openImport reads the header: names of importColumns, in any order and case,
// each at most once, UserPrincipalName among them.
func openImport(r io.Reader) (*importFile, error) {
	f := &importFile{from: &bounded{r: r}}
	f.csv = csv.NewReader(f.from)
	f.csv.ReuseRecord = true
	header, err := f.read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, &badRow{1, 1, "the file is empty: its first line must name the columns"}
	case err != nil:
		return nil, f.wrong(err)
	}
	for i, name := range header {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		at := slices.IndexFunc(importColumns[:], func(c string) bool { return strings.EqualFold(c, name) })
		line, column := f.csv.FieldPos(i)
		switch {
		case at < 0:
			return nil, &badRow{line, column, fmt.Sprintf("there is no column %q; there are: %s", clip(name), strings.Join(importColumns[:], ", "))}
		case slices.Contains(f.columns, at):
			return nil, &badRow{line, column, "the column " + importColumns[at] + " stands there twice"}
		}
		f.columns = append(f.columns, at)
	}
	if !slices.Contains(f.columns, columnUPN) {
		return nil, &badRow{1, 1, "the column UserPrincipalName is missing"}
	}
	f.csv.FieldsPerRecord = len(header)
	return f, nil
}

// read reads one row; the next one begins behind it.
func (f *importFile) read() ([]string, error) {
	row, err := f.csv.Read()
	f.from.start = f.csv.InputOffset()
	if len(row) > 0 {
		f.line, _ = f.csv.FieldPos(0)
	}
	return row, err
}

// clip keeps a name in a message short.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// next returns the next user and the line where it stands; io.EOF after the
// last. After a *badRow the reading can go on, unless the file itself ended.
func (f *importFile) next() (engine.Newcomer, int, error) {
	if f.ended {
		return engine.Newcomer{}, 0, io.EOF
	}
	row, err := f.read()
	if err != nil {
		return engine.Newcomer{}, 0, f.wrong(err)
	}
	var fields [len(importColumns)]string
	var columns [len(importColumns)]int
	line, _ := f.csv.FieldPos(0)
	for i, at := range f.columns {
		fields[at] = strings.Clone(row[i])
		_, columns[at] = f.csv.FieldPos(i)
	}
	n := engine.Newcomer{Sam: fields[columnSam], Roles: list(fields[columnRoles]), Groups: list(fields[columnGroups])}
	n.Profile.UPN, n.Profile.SID, n.Profile.DisplayName = fields[columnUPN], fields[columnSID], fields[columnDisplayName]
	bad := func(column int, message string) (engine.Newcomer, int, error) {
		return engine.Newcomer{}, line, &badRow{line, columns[column], message}
	}
	if n.Profile.UPN == "" {
		return bad(columnUPN, "UserPrincipalName is empty")
	}
	switch strings.ToLower(fields[columnEnabled]) {
	case "", "true", "yes", "1":
		n.Profile.Enabled = true
	case "false", "no", "0":
	default:
		return bad(columnEnabled, "Enabled must be true or false")
	}
	switch strings.ToLower(fields[columnUserType]) {
	case "", "member":
	case "guest":
		n.Guest = true
	default:
		return bad(columnUserType, "UserType must be Member or Guest")
	}
	return n, line, nil
}

// wrong makes an error of the CSV reader one of a row.
func (f *importFile) wrong(err error) error {
	if errors.Is(err, io.EOF) {
		f.ended = true
		return io.EOF
	}
	if e, ok := errors.AsType[*csv.ParseError](err); ok && !errors.Is(err, errLongRow) {
		return &badRow{e.Line, max(e.Column, 1), e.Err.Error()}
	}
	f.ended = true
	if errors.Is(err, errLongRow) {
		return &badRow{f.line + 1, 1, errLongRow.Error()}
	}
	return err
}

// list are the parts of a field, divided by semicolons, each once.
func list(s string) []string {
	var parts []string
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}
