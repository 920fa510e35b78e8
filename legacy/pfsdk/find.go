package pfsdk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"mfabridge/internal/hint"
)

// FilterStyle is what the server takes a filter of names for. No document says
// which one is right.
type FilterStyle string

// Styles of filters.
const (
	FilterPrefix    FilterStyle = "prefix"    // "ad" finds names that begin with it
	FilterSubstring FilterStyle = "substring" // "da" finds names that hold it
	FilterWildcard  FilterStyle = "wildcard"  // "ad*" finds names that begin with "ad"
)

// Limits of the search for all users.
const (
	DefaultListLimit = 1000    // users of one list: what the one known client asks for
	MaxQueries       = 200_000 // lists of one search
	maxFilter        = 256     // bytes
)

// DefaultAlphabet are the characters that names are tried with where a list is
// not complete. Characters of names that were listed are added by themselves.
// Those that may be wildcards of some kind are left out: * ? % [ ].
const DefaultAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789 !#$&'()+,-./:;<=>@\\^_`{|}~\""

// Search says how all users are found.
type Search struct {
	Style    FilterStyle // empty: FilterPrefix
	Limit    int         // users of one list; 0: DefaultListLimit
	Alphabet string      // empty: DefaultAlphabet
	Parallel int         // lists asked for at once; 0: 1

	// Progress is told how many users are known and how many lists were asked
	// for. Nil: nobody is told.
	Progress func(users, lists int)
}

// Found is what a search found.
type Found struct {
	Usernames []string // sorted, each once, as the server spells them
	Lists     int      // that were asked for
	Split     bool     // one list did not hold them all

	// Underscore says that the server takes "_" for any character. Then a
	// name with one is found only if a list showed another one that is the same
	// up to it.
	Underscore bool

	// Short are names that a list could not be split by: they may be users
	// themselves that no list showed.
	Short []string
}

func (s Search) withDefaults() (Search, error) {
	if s.Limit <= 0 {
		s.Limit = DefaultListLimit
	}
	if s.Alphabet == "" {
		s.Alphabet = DefaultAlphabet
	}
	s.Parallel = max(s.Parallel, 1)
	switch s.Style {
	case "":
		s.Style = FilterPrefix
	case FilterPrefix, FilterSubstring, FilterWildcard:
	default:
		return s, hint.New(fmt.Sprintf("there is no filter style %q", s.Style), "use prefix, substring or wildcard")
	}
	return s, nil
}

// filter is the text that asks for the names of a node.
func (s Search) filter(node string) string {
	if s.Style == FilterWildcard {
		return node + "*"
	}
	return node
}

// fits tells whether a name belongs to a node.
func (s Search) fits(name, node string) bool {
	if s.Style == FilterSubstring {
		return strings.Contains(fold(name), node)
	}
	return strings.HasPrefix(fold(name), node)
}

func fold(s string) string { return strings.ToLower(s) }

// node is a list to be asked for: its filter and the names that are known to
// belong to it.
type node struct {
	filter   string
	expected []string
}

// finder is a search under way.
type finder struct {
	client *Client
	search Search

	mu         sync.Mutex
	names      map[string]string // folded: as spelt
	alphabet   map[rune]bool     // false: cannot be searched for
	visited    map[string]bool   // filters that were, or are being, asked for
	incomplete []string          // filters whose lists were not complete
	lists      int

	underscore bool            // Found.Underscore
	upTo       map[string]bool // beginnings of known names that end with "_"
}

// FindAll finds all users: by one list, and where that is not complete by ever
// longer filters. It stops when the lists make no sense, rather than ask for
// ever or leave somebody out.
func (c *Client) FindAll(ctx context.Context, s Search) (Found, error) {
	s, err := s.withDefaults()
	if err != nil {
		return Found{}, err
	}
	f := &finder{client: c, search: s, names: map[string]string{}, alphabet: map[rune]bool{}, visited: map[string]bool{"": true}, upTo: map[string]bool{}}
	for _, r := range fold(s.Alphabet) {
		f.alphabet[r] = s.Style != FilterWildcard || r != '*' && r != '?'
	}
	level := []node{{}}
	for len(level) > 0 {
		if level, err = f.ask(ctx, level); err != nil {
			return Found{}, err
		}
	}
	found := Found{Lists: f.lists, Split: f.lists > 1, Underscore: f.underscore}
	for _, folded := range slices.Sorted(maps.Keys(f.names)) {
		found.Usernames = append(found.Usernames, f.names[folded])
	}
	for _, filter := range slices.Sorted(slices.Values(f.incomplete)) {
		if _, known := f.names[filter]; !known && filter != "" {
			found.Short = append(found.Short, filter)
		}
	}
	return found, nil
}

// ask asks for all lists of one level and returns those of the next. The lists
// before are extended too where names taught new characters.
func (f *finder) ask(ctx context.Context, level []node) ([]node, error) {
	open := map[string][]string{} // lists that are not complete
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(f.search.Parallel)
	for _, n := range level {
		group.Go(func() error {
			names, complete, err := f.list(ctx, n)
			if err == nil && !complete {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.incomplete = append(f.incomplete, n.filter)
				open[n.filter] = names
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var next []node
	for _, filter := range f.incomplete {
		if f.idle(filter) {
			continue
		}
		children, err := f.split(filter, open[filter])
		if err != nil {
			return nil, err
		}
		next = append(next, children...)
	}
	return next, nil
}

const filterAdvice = "nothing says how this server filters: try --filter-style wildcard or substring, or compare its WSDL with --wsdl; a --list-limit above the number of users needs no filter"

// list asks for one list and checks that it may be true.
func (f *finder) list(ctx context.Context, n node) (names []string, complete bool, err error) {
	f.mu.Lock()
	f.lists++
	tooMany := f.lists > MaxQueries
	f.mu.Unlock()
	if tooMany {
		return nil, false, hint.New(fmt.Sprintf("the users cannot be listed with %d queries", MaxQueries), filterAdvice)
	}
	filter := ""
	if n.filter != "" {
		filter = f.search.filter(n.filter)
	}
	answer, err := f.client.ask(ctx, FindUsers4, findParameters(f.client.config.FilterElement, filter, strconv.Itoa(f.search.Limit)))
	if err != nil {
		return nil, false, err
	}
	var others []string
	for _, row := range answer.records {
		if !f.search.fits(row.Username, n.filter) {
			if f.asPattern(row.Username, n.filter) {
				others = append(others, row.Username)
				continue
			}
			return nil, false, hint.New(fmt.Sprintf("the server does not filter by %s: a list holds users that were not asked for", f.search.Style), filterAdvice)
		}
		names = append(names, row.Username)
	}
	if len(others) > 0 {
		f.mu.Lock()
		f.underscore = true
		f.mu.Unlock()
		f.learn(others)
	}
	if !answer.complete && len(names)+len(others) == 0 {
		return nil, false, hint.New("the server says that a list is not complete, but lists nobody", filterAdvice)
	}
	if answer.complete {
		listed := make(map[string]bool, len(names))
		for _, name := range names {
			listed[fold(name)] = true
		}
		for _, name := range n.expected {
			if !listed[fold(name)] {
				return nil, false, hint.New(fmt.Sprintf("the server does not filter by %s: a list that is said to be complete lacks a user that another list holds", f.search.Style), filterAdvice)
			}
		}
	}
	f.learn(names)
	return names, answer.complete, nil
}

// asPattern tells whether a name was listed because the server, as a database
// does, takes "_" for any character. Such a list holds too many, not too few.
func (f *finder) asPattern(name, filter string) bool {
	letters, pattern := []rune(fold(name)), []rune(filter)
	if f.search.Style == FilterSubstring || !strings.Contains(filter, "_") || len(letters) < len(pattern) {
		return false
	}
	for i, r := range pattern {
		if r != '_' && r != letters[i] {
			return false
		}
	}
	return true
}

// idle tells whether a filter is of no use: on a server that takes "_" for any
// character it would find what others find, unless a name is known that has
// one there.
func (f *finder) idle(filter string) bool {
	last := strings.LastIndexByte(filter, '_')
	return f.underscore && last >= 0 && !f.upTo[filter[:last+1]]
}

// learn keeps names and their characters.
func (f *finder) learn(names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		folded := fold(name)
		if _, ok := f.names[folded]; ok {
			continue
		}
		f.names[folded] = name
		for i := range len(folded) {
			if folded[i] == '_' {
				f.upTo[folded[:i+1]] = true
			}
		}
		for _, r := range folded {
			if _, ok := f.alphabet[r]; !ok {
				f.alphabet[r] = true
			}
		}
	}
	if f.search.Progress != nil {
		f.search.Progress(len(f.names), f.lists)
	}
}

// split makes the longer filters that together find all that one found, but
// for the name that is the filter itself. names are those of its list.
func (f *finder) split(filter string, names []string) ([]node, error) {
	if len(filter) >= maxFilter {
		return nil, hint.New(fmt.Sprintf("a list of users is not complete even with a filter of %d bytes", maxFilter), filterAdvice)
	}
	var children []node
	covered := make(map[string]bool, len(names))
	if f.search.Style == FilterSubstring {
		// A name whose last characters the filter is has no longer one here,
		// but its own beginning, grown character by character, leads to it.
		for _, name := range names {
			covered[name] = strings.HasSuffix(fold(name), filter)
		}
	}
	for _, longer := range f.longer(filter) {
		if f.visited[longer] && len(names) == 0 {
			continue
		}
		child := node{filter: longer}
		for _, name := range names {
			if f.search.fits(name, longer) {
				child.expected = append(child.expected, name)
				covered[name] = true
			}
		}
		if !f.visited[longer] {
			f.visited[longer] = true
			children = append(children, child)
		}
	}
	for _, name := range names {
		if !covered[name] && fold(name) != filter {
			return nil, hint.New("a name holds a character that a list cannot be split by", "with wildcards, * and ? cannot be searched for: try another --filter-style")
		}
	}
	return children, nil
}

// longer lists the filters that are one character longer. Each name is reached
// through its own beginnings, whatever the style.
func (f *finder) longer(filter string) []string {
	var all []string
	for _, r := range slices.Sorted(maps.Keys(f.alphabet)) {
		if !f.alphabet[r] || r == utf8.RuneError || f.idle(filter+string(r)) {
			continue
		}
		all = append(all, filter+string(r))
	}
	return all
}
