package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
)

// Names of every script stand in their column.
func TestTableByTheRoomOnATerminal(t *testing.T) {
	var out bytes.Buffer
	lines := table(&out)
	fmt.Fprint(lines, "USER\tID\tSTATE\n李小龍\t1\tenabled\nחנה\t2\tenabled\nZoe\u0308\t3\tenabled\nＡＢ\t\tenabled\n")
	if err := lines.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = "USER    ID  STATE\n李小龍  1   enabled\nחנה     2   enabled\nZoe\u0308     3   enabled\nＡＢ        enabled\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// Where every character takes one place a table is as text/tabwriter writes it.
func TestTableAsTabwriter(t *testing.T) {
	for _, text := range []string{"", "\n", "a\tb\nccc\td\n", "a\tb\tc\nno columns\nlong one\tb\n\nx\ty\tz\nxxxx\ty\n", "a\t\n\tb\n", "no end\tof line"} {
		var got, want bytes.Buffer
		ours, theirs := table(&got), tabwriter.NewWriter(&want, 0, 0, 2, ' ', 0)
		for piece := range strings.SplitAfterSeq(text, "\t") { // in pieces, as it is written
			fmt.Fprint(ours, piece)
			fmt.Fprint(theirs, piece)
		}
		if err := ours.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Flush(); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got.String(), want.String())
		}
	}
}
