package graph

import (
	"slices"
	"strings"

	"mfabridge/cloud/engine"
)

// Bounds of a filter.
const (
	maxFilter  = 8 << 10 // bytes
	maxClauses = 15      // of one or, and values of one in
	maxDepth   = 8
)

// test is one node of a filter.
type test struct {
	op       string // "and", "or", "not", "eq", "ne", "ge", "le", "in", "startswith", "endswith"
	property string // folded
	values   []any  // string, bool or nil
	of       []*test
}

// parseFilter reads $filter: comparisons of properties with literals, in, the
// two functions, lambda any, joined by and, or, not.
func parseFilter(s string) (*test, error) {
	if len(s) > maxFilter {
		return nil, invalidFilter("it is too long")
	}
	p := &parser{rest: s}
	t, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, invalidFilter("something follows it")
	}
	return t, nil
}

func invalidFilter(why string) *trouble {
	return fail(400, "BadRequest", "Invalid filter clause: "+why+".")
}

type parser struct{ rest string }

func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

// word takes a word that stands by itself.
func (p *parser) word(w string) bool {
	p.skip()
	if len(p.rest) < len(w) || !strings.EqualFold(p.rest[:len(w)], w) {
		return false
	}
	if after := p.rest[len(w):]; after != "" && isName(after[0]) && isName(w[0]) {
		return false
	}
	p.rest = p.rest[len(w):]
	return true
}

func isName(b byte) bool {
	return b == '_' || b == '.' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func (p *parser) either(depth int) (*test, error) { return p.joined("or", depth, p.both) }

func (p *parser) both(depth int) (*test, error) { return p.joined("and", depth, p.single) }

func (p *parser) joined(op string, depth int, next func(int) (*test, error)) (*test, error) {
	if depth > maxDepth {
		return nil, invalidFilter("it is nested too deeply")
	}
	t, err := next(depth)
	if err != nil {
		return nil, err
	}
	all := &test{op: op, of: []*test{t}}
	for p.word(op) {
		if t, err = next(depth); err != nil {
			return nil, err
		}
		if all.of = append(all.of, t); len(all.of) > maxClauses {
			return nil, fail(400, "Request_UnsupportedQuery", "Too many child clauses specified in search filter expression. Max allowed: 15.")
		}
	}
	if len(all.of) == 1 {
		return all.of[0], nil
	}
	return all, nil
}

func (p *parser) single(depth int) (*test, error) {
	switch {
	case depth > maxDepth:
		return nil, invalidFilter("it is nested too deeply")
	case p.word("not"):
		t, err := p.single(depth + 1)
		return &test{op: "not", of: []*test{t}}, err
	case p.word("("):
		t, err := p.either(depth + 1)
		if err == nil && !p.word(")") {
			err = invalidFilter("a parenthesis is open")
		}
		return t, err
	}
	for _, function := range []string{"startswith", "endswith"} {
		before := p.rest
		if p.word(function) && p.word("(") {
			return p.function(function)
		}
		p.rest = before
	}
	return p.comparison()
}

func (p *parser) function(op string) (*test, error) {
	t := &test{op: op, property: p.name()}
	if t.property == "" || !p.word(",") {
		return nil, invalidFilter("a function takes a property and a text")
	}
	v, err := p.literal()
	if _, text := v.(string); err != nil || !text || !p.word(")") {
		return nil, invalidFilter("a function takes a property and a text")
	}
	t.values = []any{v}
	return t, nil
}

func (p *parser) name() string {
	p.skip()
	n := 0
	for n < len(p.rest) && isName(p.rest[n]) {
		n++
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	return strings.ToLower(name)
}

func (p *parser) comparison() (*test, error) {
	t := &test{property: p.name()}
	if t.property == "" {
		return nil, invalidFilter("a property is missing")
	}
	if p.word("/any(") {
		return p.lambda(t)
	}
	if p.word("in") {
		t.op = "in"
		return t, p.list(t)
	}
	for _, op := range []string{"eq", "ne", "ge", "le"} {
		if p.word(op) {
			v, err := p.literal()
			t.op, t.values = op, []any{v}
			return t, err
		}
	}
	return nil, invalidFilter("an operator is missing")
}

// lambda takes x:x eq 'literal' of a property with many values.
func (p *parser) lambda(t *test) (*test, error) {
	x := p.name()
	if !p.word(":") {
		return nil, invalidFilter("any takes a lambda")
	}
	inner, err := p.single(maxDepth)
	if err != nil || inner.property != x || !p.word(")") {
		return nil, invalidFilter("any takes a lambda")
	}
	t.op, t.values = inner.op, inner.values
	return t, nil
}

func (p *parser) list(t *test) error {
	if !p.word("(") {
		return invalidFilter("in takes a list")
	}
	for {
		v, err := p.literal()
		if err != nil {
			return err
		}
		if t.values = append(t.values, v); len(t.values) > maxClauses {
			return fail(400, "Request_UnsupportedQuery", "Too many child clauses specified in search filter expression. Max allowed: 15.")
		}
		if p.word(")") {
			return nil
		}
		if !p.word(",") {
			return invalidFilter("in takes a list")
		}
	}
}

func (p *parser) literal() (any, error) {
	for word, value := range map[string]any{"true": true, "false": false, "null": nil} {
		if p.word(word) {
			return value, nil
		}
	}
	p.skip()
	if !strings.HasPrefix(p.rest, "'") {
		return nil, invalidFilter("a value must be text in quotes, true, false or null")
	}
	var b strings.Builder
	for at := 1; at < len(p.rest); at++ {
		if p.rest[at] != '\'' {
			b.WriteByte(p.rest[at])
			continue
		}
		if at+1 == len(p.rest) || p.rest[at+1] != '\'' {
			p.rest = p.rest[at+1:]
			return b.String(), nil
		}
		b.WriteByte('\'')
		at++
	}
	return nil, invalidFilter("a quote is open")
}

// operators are what each property of a user can be asked for, and behind the
// stroke what needs an advanced query (filter-directory-objects).
func operators() map[string]string {
	return map[string]string{"id": "eq in", "userprincipalname": "eq le ge in startswith|endswith ne", "mail": "eq ge le in startswith|endswith ne",
		"displayname": "eq ge le in startswith|ne endswith", "accountenabled": "eq in|ne", "usertype": "eq in|ne",
		"onpremisessecurityidentifier": "eq in|ne", "onpremisesuserprincipalname": "eq ge le in startswith|ne endswith",
		"onpremisessamaccountname": "|eq in startswith ne", "onpremisesimmutableid": "|eq in ne", "employeeid": "eq ge le in startswith|ne",
		"proxyaddresses": "eq startswith|ne endswith", "onpremisessyncenabled": "eq in|ne"}
}

// allowed checks what a filter asks of which property.
func (t *test) allowed(can map[string]string, advanced bool) error {
	if t.op == "not" && !advanced {
		return unsupported(t.op)
	}
	for _, inner := range t.of {
		if err := inner.allowed(can, advanced); err != nil {
			return err
		}
	}
	if len(t.of) > 0 {
		return nil
	}
	plain, more, _ := strings.Cut(can[t.property], "|")
	if slices.Contains(strings.Fields(plain), t.op) || advanced && slices.Contains(strings.Fields(more), t.op) {
		return nil
	}
	return unsupported(t.property)
}

func unsupported(property string) *trouble {
	return fail(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified for property '"+clip(property)+"' of resource.")
}

// holds tells whether an object passes; names of its properties are folded.
func (t *test) holds(o object) bool {
	switch t.op {
	case "and":
		return !slices.ContainsFunc(t.of, func(inner *test) bool { return !inner.holds(o) })
	case "or":
		return slices.ContainsFunc(t.of, func(inner *test) bool { return inner.holds(o) })
	case "not":
		return !t.of[0].holds(o)
	}
	have := o[t.property]
	if many, ok := have.([]string); ok {
		return slices.ContainsFunc(many, func(one string) bool { return t.compare(one) })
	}
	return t.compare(have)
}

func (t *test) compare(have any) bool {
	text, isText := have.(string)
	for _, want := range t.values {
		other, otherText := want.(string)
		var yes bool
		if isText && otherText {
			a, b := engine.Fold(text), engine.Fold(other)
			switch t.op {
			case "eq", "in":
				yes = a == b
			case "ne":
				yes = a != b
			case "ge":
				yes = a >= b
			case "le":
				yes = a <= b
			case "startswith":
				yes = strings.HasPrefix(a, b)
			case "endswith":
				yes = strings.HasSuffix(a, b)
			}
		} else {
			yes = (t.op == "eq" || t.op == "in") && have == want || t.op == "ne" && have != want
		}
		if yes {
			return true
		}
	}
	return false
}

// only are the values of a filter that is one comparison for equality, and
// its property.
func (t *test) only() (property string, values []string) {
	if t == nil || t.op != "eq" && t.op != "in" {
		return "", nil
	}
	for _, v := range t.values {
		s, ok := v.(string)
		if !ok {
			return "", nil
		}
		values = append(values, s)
	}
	return t.property, values
}
