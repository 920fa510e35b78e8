package phone

import (
	"encoding/binary"
	"errors"
	"regexp/syntax"
	"slices"
)

// An automaton answers what many patterns over digits say of one number, in
// one walk: a node per digit read. Node 0 is dead, no pattern can match any
// more. It reads at most maxNational digits, so it has no circles and equal
// ends are one node.
type automaton struct {
	nodes []node
	start uint16
}

type node struct {
	next  [10]uint16
	marks marks
}

// marks say what holds of the digits read so far.
type marks uint8

const (
	markValid     marks = 1 << iota // they are a valid number
	markGeneral                     // they match the general pattern of the main region
	markPrefix                      // they are a prefix that takes more than digits off a number
	markPrefixEnd                   // the same, if no digit follows
)

// maxNodes bounds the table of one calling code (44 KiB per 2,000 nodes).
const maxNodes = 20_000

// walk reads a number and returns what holds at its end, and what held on the
// way (the start left out).
func (a *automaton) walk(number []byte) (end, seen marks) {
	at := a.start
	for _, digit := range number {
		at = a.nodes[at].next[digit-'0']
		if at == 0 {
			return 0, seen
		}
		end = a.nodes[at].marks
		seen |= end
	}
	return end, seen
}

// patterns is a set of patterns, compiled into one program.
type patterns struct {
	index map[string]int // pattern to its number
	insts []syntax.Inst
	owner []int    // of each instruction: its pattern
	first []uint32 // of each pattern: its first instruction
}

var errPattern = errors.New("a pattern holds something else than digits")

// add compiles an expression that has to match all digits read, and returns
// its number. Equal ones are compiled once.
func (p *patterns) add(expression string) (int, error) {
	if i, ok := p.index[expression]; ok {
		return i, nil
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	i, base := len(p.first), uint32(len(p.insts))
	for _, inst := range prog.Inst {
		inst.Out += base
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			inst.Arg += base
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg) != syntax.EmptyEndText {
				return 0, errPattern
			}
		}
		p.insts = append(p.insts, inst)
		p.owner = append(p.owner, i)
	}
	p.first = append(p.first, base+uint32(prog.Start))
	p.index[expression] = i
	return i, nil
}

// reading is a set of instructions that wait: for a digit, for the end, or
// with a match. Sorted, without repetition.
type reading []uint32

// closure follows from until every instruction waits. atEnd passes those that
// wait for the end.
func (p *patterns) closure(from []uint32, atEnd bool) reading {
	var waiting reading
	seen := make(map[uint32]bool, 2*len(from))
	for stack := slices.Clone(from); len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		switch inst := p.insts[at]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, inst.Out)
		case syntax.InstFail:
		case syntax.InstEmptyWidth:
			if atEnd {
				stack = append(stack, inst.Out)
			} else {
				waiting = append(waiting, at)
			}
		default:
			waiting = append(waiting, at)
		}
	}
	slices.Sort(waiting)
	return waiting
}

// step reads a digit.
func (p *patterns) step(r reading, digit rune) reading {
	var next []uint32
	for _, at := range r {
		switch inst := &p.insts[at]; inst.Op {
		case syntax.InstRune, syntax.InstRune1:
			if inst.MatchRune(digit) {
				next = append(next, inst.Out)
			}
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			next = append(next, inst.Out)
		}
	}
	if next == nil {
		return nil
	}
	return p.closure(next, false)
}

// matched tells for each pattern whether r holds a match of it.
func (p *patterns) matched(r reading) []bool {
	found := make([]bool, len(p.first))
	for _, at := range r {
		if p.insts[at].Op == syntax.InstMatch {
			found[p.owner[at]] = true
		}
	}
	return found
}

// automatonBuilder makes an automaton of patterns, ends first.
type automatonBuilder struct {
	*patterns
	limit int // of nodes
	mark  func(length int, matched, atEnd []bool) marks
	known map[string]uint16 // reading with its length, to its node
	nodes map[node]uint16   // equal nodes are one
	made  []node
}

var errTooManyNodes = errors.New("the patterns need too large a table")

// automaton makes the automaton of all patterns added so far, of at most limit
// nodes. mark says what holds of length digits that the patterns in matched
// match; atEnd counts also those that match if the number ends there.
func (p *patterns) automaton(limit int, mark func(length int, matched, atEnd []bool) marks) (*automaton, error) {
	b := automatonBuilder{
		patterns: p, limit: limit, mark: mark,
		known: make(map[string]uint16), nodes: make(map[node]uint16),
		made: make([]node, 1),
	}
	start, err := b.build(p.closure(p.first, false), 0)
	if err != nil {
		return nil, err
	}
	return &automaton{nodes: slices.Clip(b.made), start: start}, nil
}

// build makes the node for r and all that can follow it.
func (b *automatonBuilder) build(r reading, length int) (uint16, error) {
	if len(r) == 0 || length > maxNational {
		return 0, nil
	}
	key := r.key(length)
	if i, ok := b.known[key]; ok {
		return i, nil
	}
	n := node{marks: b.mark(length, b.matched(r), b.matched(b.closure(r, true)))}
	for digit := range n.next {
		next, err := b.build(b.step(r, '0'+rune(digit)), length+1)
		if err != nil {
			return 0, err
		}
		n.next[digit] = next
	}
	i, ok := b.nodes[n]
	if !ok && n != (node{}) {
		if len(b.made) == b.limit {
			return 0, errTooManyNodes
		}
		i = uint16(len(b.made))
		b.made = append(b.made, n)
		b.nodes[n] = i
	}
	b.known[key] = i
	return i, nil
}

func (r reading) key(length int) string {
	key := make([]byte, 0, 4*len(r)+1)
	for _, at := range r {
		key = binary.LittleEndian.AppendUint32(key, at)
	}
	return string(append(key, byte(length)))
}
