package phone

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// maxTrunks bounds the prefixes that are tried one by one.
const maxTrunks = 128

// readPrefix splits the expression of what may have to go from the start of
// a number into trunks, which just go, and the rest of its alternatives: an
// expression for the library, "" if there is none.
func readPrefix(m *phonenumbers.PhoneMetadata) (trunks []string, rest string, err error) {
	expression := m.GetNationalPrefixForParsing()
	if expression == "" {
		return nil, "", nil
	}
	compiled, err := regexp.Compile("^(?:" + expression + ")")
	if err != nil {
		return nil, "", err
	}
	if groups := compiled.FindStringSubmatchIndex(""); groups != nil && groups[len(groups)-1] >= 0 {
		return nil, "", errMetadata
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, "", err
	}
	alternatives := []*syntax.Regexp{parsed}
	if parsed.Op == syntax.OpAlternate {
		alternatives = parsed.Sub
	}
	var others []string
	for _, alternative := range alternatives {
		words, ok := enumerate(alternative, m.GetNationalPrefixTransformRule() == "")
		if ok && len(trunks)+len(words) <= maxTrunks {
			trunks = append(trunks, words...)
		} else {
			others = append(others, alternative.String())
		}
	}
	rest = strings.Join(others, "|")
	if empty, err := regexp.MatchString("^(?:"+rest+")$", ""); err != nil || empty && rest != "" && len(trunks) > 0 {
		return nil, "", errMetadata // an empty match would hide the trunks behind it
	}
	return trunks, rest, nil
}

// enumerate lists what an expression matches, in the order in which it is
// preferred, if that is not too much. A group that is captured matters only
// to a rule of transformation.
func enumerate(e *syntax.Regexp, captures bool) (words []string, ok bool) {
	switch e.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(e.Rune)}, e.Flags&syntax.FoldCase == 0
	case syntax.OpCharClass:
		for i := 0; i < len(e.Rune); i += 2 {
			if e.Rune[i] < '0' || e.Rune[i+1] > '9' {
				return nil, false
			}
			for c := e.Rune[i]; c <= e.Rune[i+1]; c++ {
				words = append(words, string(c))
			}
		}
		return words, true
	case syntax.OpCapture:
		if !captures {
			return nil, false
		}
		return enumerate(e.Sub[0], captures)
	case syntax.OpQuest:
		words, ok = enumerate(e.Sub[0], captures)
		return append(words, ""), ok && e.Flags&syntax.NonGreedy == 0
	case syntax.OpAlternate:
		for _, sub := range e.Sub {
			more, ok := enumerate(sub, captures)
			if words = append(words, more...); !ok || len(words) > maxTrunks {
				return nil, false
			}
		}
		return words, true
	case syntax.OpConcat:
		words = []string{""}
		for _, sub := range e.Sub {
			tails, ok := enumerate(sub, captures)
			if !ok || len(words)*len(tails) > maxTrunks {
				return nil, false
			}
			words = join(words, tails)
		}
		return words, true
	default:
		return nil, false
	}
}

// join puts every tail behind every head, the first head's first.
func join(heads, tails []string) []string {
	joined := make([]string, 0, len(heads)*len(tails))
	for _, head := range heads {
		for _, tail := range tails {
			joined = append(joined, head+tail)
		}
	}
	return joined
}
