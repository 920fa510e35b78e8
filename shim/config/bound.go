package config

import (
	"fmt"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"mfabridge/internal/hint"
)

// Limits on the shape of a configuration. The YAML parser keeps for every node
// the path from the root as a text, so that depth and long keys cost it their
// square in time and memory: a file of nothing but brackets, far below
// MaxFile, would take all there is.
const (
	maxNesting = 16     // brackets within brackets
	maxIndent  = 64     // columns before a key or a dash of a block
	maxKey     = 128    // octets
	maxTokens  = 50_000 // words and marks: some 2,000 clients
)

// bounded refuses a text that the parser cannot take in a moment, and what a
// configuration has no use for: anchors, aliases, merge keys, tags, directives
// and keys that are not words.
func bounded(text []byte, name string) error {
	tokens := lexer.Tokenize(string(text))
	if len(tokens) > maxTokens {
		return hint.New(fmt.Sprintf("%s has more than %d words and marks", name, maxTokens), "list several networks under one client")
	}
	open := 0
	for i, t := range tokens {
		key := i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
		problem := ""
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType, token.DirectiveType, token.MappingKeyType:
			problem = "anchors, aliases, tags, directives and complex keys are not taken"
		case token.SequenceStartType, token.MappingStartType:
			open++
		case token.SequenceEndType, token.MappingEndType:
			open--
		}
		switch {
		case open > maxNesting, open <= 0 && (key || t.Type == token.SequenceEntryType) && t.Position.Column > maxIndent:
			problem = "nested too deep"
		case key && len(t.Value) > maxKey:
			problem = "a key is too long"
		}
		if problem != "" {
			return hint.New(fmt.Sprintf("%s:%d:%d: %s", name, t.Position.Line, t.Position.Column, problem),
				"write plain keys, lists and values, as in the documentation of the shim's configuration")
		}
	}
	return nil
}
