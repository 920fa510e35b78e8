package board

import (
	"bufio"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// perBlock is how many users one block of the page holds: enough for texts to
// repeat, and decoded in a few milliseconds when one of them is opened.
const perBlock = 1000

// firstLetter stands in the index for the first code of the catalogue, the
// next for the second, and so on: letters that JSON and HTML leave alone.
const firstLetter = 0x100

// index is what the page's script reads of a block when the page opens.
type index struct {
	Names    []string `json:"n"`
	UPNs     []string `json:"u"` // empty: the same as the name
	Kinds    string   `json:"k"` // two digits a user: outlook, action
	Waves    []int    `json:"w,omitempty"`
	Findings []string `json:"f"` // a letter a finding
}

// coder collects a block of users.
type coder struct {
	out     *bufio.Writer
	codes   map[migrate.Code]int
	domains domains
	waves   map[string]int // nil: the plan has no waves
	reveal  bool

	index   index
	kinds   []byte
	details []byte // rows of numbers, as JSON
	texts   []string
	textAt  map[string]int
}

func writeUsers(ctx context.Context, out *bufio.Writer, p migrate.PlanReader, t *tally, o Options) error {
	c := &coder{out: out, codes: codeNumbers(t), domains: t.domains, reveal: o.Reveal, textAt: map[string]int{}}
	if t.hasWaves() {
		c.waves = t.waveAt
	}
	left := t.chosen(o.Most)
	for d, err := range p.Users(ctx, viewOf(o)) {
		if err != nil {
			return err
		}
		class := classOf(&d)
		if left[class] == 0 {
			continue
		}
		left[class]--
		if err := c.add(&d); err != nil {
			return err
		}
		if len(c.index.Names) == perBlock {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return c.flush()
}

// chosen is how many users of each class a page lists that lists at most most.
func (t *tally) chosen(most int) [classes]int {
	var chosen [classes]int
	for class, n := range t.classes {
		chosen[class] = min(n, most)
		most -= chosen[class]
	}
	return chosen
}

// codeNumbers numbers the codes as the page's script knows them: those of the
// catalogue, then what the plan has besides.
func codeNumbers(t *tally) map[migrate.Code]int {
	numbers := map[migrate.Code]int{}
	for i, k := range codesOf(t) {
		numbers[k.Code] = i
	}
	return numbers
}

func (c *coder) add(d *migrate.Decision) error {
	name, upn := c.domains.short(text(d.Username)), c.domains.short(text(d.UPN))
	if upn == name {
		upn = ""
	}
	c.index.Names = append(c.index.Names, name)
	c.index.UPNs = append(c.index.UPNs, upn)
	c.kinds = append(c.kinds, digit(outlookNumber(d.Outlook)), digit(actionNumber(d.Action)))
	if c.waves != nil {
		c.index.Waves = append(c.index.Waves, c.waves[d.Wave])
	}
	var letters strings.Builder
	for i := range d.Findings {
		letters.WriteRune(rune(firstLetter + c.codes[d.Findings[i].Code]))
	}
	c.index.Findings = append(c.index.Findings, letters.String())
	return c.detail(d)
}

func digit(n int) byte { return byte('0' + n) }

// detail codes a row: target, match, changes of three numbers each,
// findings of three each; a text is its number in the block.
func (c *coder) detail(d *migrate.Decision) error {
	if len(c.details) > 0 {
		c.details = append(c.details, ',')
	}
	c.details = append(c.details, '[')
	c.number(c.text(text(string(d.Target))))
	c.number(c.text(text(matchedWords(d.MatchedBy))))
	c.details = append(c.details, '[')
	for i := range d.Changes {
		ch := &d.Changes[i]
		before, err := c.value(ch.Method, ch.Before, d.UPN)
		if err != nil {
			return err
		}
		after, err := c.value(ch.Method, ch.After, d.UPN)
		if err != nil {
			return err
		}
		c.number(c.text(kindOf(ch)))
		c.number(c.text(before))
		c.number(c.text(after))
	}
	c.closeList()
	c.details = append(c.details, '[')
	for i := range d.Findings {
		f := &d.Findings[i]
		c.number(c.codes[f.Code])
		c.number(c.text(text(f.Field)))
		c.number(c.text(text(f.Detail)))
	}
	c.closeList()
	c.closeList()
	c.details = c.details[:len(c.details)-1]
	return nil
}

// kindOf is what changes of many users have in common, as one text: method,
// what is done, why.
func kindOf(c *migrate.PlannedChange) string {
	why := text(c.Reason)
	switch {
	case c.Loses():
		why += "; cannot be taken back, and is left out unless it is allowed"
	case c.Irreversible:
		why += "; cannot be taken back"
	}
	return methodName(c.Method) + "\n" + opWords(c) + "\n" + why
}

// number appends a number and a comma.
func (c *coder) number(n int) {
	c.details = append(strconv.AppendInt(c.details, int64(n), 10), ',')
}

// closeList turns the comma behind the last number into the end of a list, and
// puts one behind that.
func (c *coder) closeList() {
	if last := len(c.details) - 1; c.details[last] == ',' {
		c.details = c.details[:last]
	}
	c.details = append(c.details, ']', ',')
}

// text is the number of a text in the block; 0 is the empty text.
func (c *coder) text(s string) int {
	if s == "" {
		return 0
	}
	s = c.domains.short(s)
	n, known := c.textAt[s]
	if !known {
		c.texts = append(c.texts, s)
		n = len(c.texts)
		c.textAt[s] = n
	}
	return n
}

// value is a value in plain words; empty: none.
func (c *coder) value(m cloud.Method, v cloud.Value, upn string) (string, error) {
	if v.IsZero() {
		return "", nil
	}
	return valueWords(m, v, upn, c.reveal)
}

func (c *coder) flush() error {
	if len(c.index.Names) == 0 {
		return nil
	}
	c.index.Kinds = string(c.kinds)
	head, err := json.Marshal(c.index)
	if err != nil {
		return err
	}
	texts, err := json.Marshal(c.texts)
	if err != nil {
		return err
	}
	for _, part := range []string{"<script type=\"application/json\" class=\"index\">", string(head), "</script>\n",
		"<script type=\"application/json\" class=\"details\">{\"s\":", string(texts), ",\"r\":[", string(c.details), "]}</script>\n"} {
		if _, err := c.out.WriteString(part); err != nil {
			return err
		}
	}
	c.index, c.kinds, c.details, c.texts = index{Names: c.index.Names[:0], UPNs: c.index.UPNs[:0], Waves: c.index.Waves[:0], Findings: c.index.Findings[:0]}, c.kinds[:0], c.details[:0], c.texts[:0]
	clear(c.textAt)
	return nil
}
