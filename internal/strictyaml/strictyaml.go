// Package strictyaml reads configuration files: YAML without its surprises.
// Unknown keys are refused with line and excerpt, and a file holds one document.
//
// What a configuration has no use for (anchors, aliases, merge keys, tags,
// directives, keys that are not words) is refused before the parser sees it. So
// are shapes on which the parser would spend time and memory that grow with the
// square of the file. An excerpt never shows the value of a key that may hold a
// secret.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"mfabridge/internal/hint"
	"mfabridge/internal/regular"
)

// MaxFile is the largest configuration that is read, in bytes.
const MaxFile = 1 << 20

// Kind says what a file is, for its errors.
type Kind struct {
	Name   string // "shim configuration"
	Empty  string // advice where it is empty
	Manual string // "docs/shim.md": where its keys and an example stand
}

// Read reads a regular file whole and tells its folder.
func (k Kind) Read(path string) (text []byte, folder string, err error) {
	f, err := regular.Open(path)
	if errors.Is(err, regular.ErrOther) {
		return nil, "", hint.New(fmt.Sprintf("%s %s is not a regular file", k.Name, path), "write it into a file: it is read again later, and other files are looked for beside it")
	}
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // that it was opened is said
		}
		return nil, "", hint.Wrap(fmt.Errorf("%s %s cannot be opened: %w", k.Name, path, err),
			"name a YAML file that you may read; "+k.Manual+" says what stands in it")
	}
	defer f.Close()
	text, err = io.ReadAll(io.LimitReader(f, MaxFile+1))
	switch {
	case err != nil:
		return nil, "", hint.Wrap(fmt.Errorf("%s cannot be read: %w", k.Name, err), "name a YAML file; "+k.Manual+" says what stands in it")
	case len(text) > MaxFile:
		return nil, "", fmt.Errorf("%s %s is larger than %d bytes", k.Name, path, MaxFile)
	}
	if folder, err = filepath.Abs(filepath.Dir(path)); err != nil {
		return nil, "", fmt.Errorf("folder of the %s cannot be told: %w", k.Name, err)
	}
	return text, folder, nil
}

// Decode reads exactly one document into a struct. The name stands in errors.
func (k Kind) Decode(text []byte, name string, into any) (err error) {
	defer func() {
		// The YAML library panics on some broken documents; those too are a
		// mistake in a file and no fault of ours.
		if recover() != nil {
			err = hint.New(name+" is not valid YAML", "check its indentation")
		}
	}()
	if text, err = inUTF8(text, name); err != nil {
		return err
	}
	if err := k.bounded(text, name); err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	switch err := decoder.Decode(into); {
	case errors.Is(err, io.EOF):
		return hint.New(name+" is empty", k.Empty)
	case err != nil:
		return k.placed(err, name, text)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return hint.New(name+" holds more than one YAML document", "remove the line --- and what follows it")
	}
	return nil
}

// inUTF8 refuses text in another encoding: a name in it, of a group say, would be
// another name than the one that was meant, and nobody would hear of it. The mark
// that editors on Windows put in front of UTF-8 is taken off.
func inUTF8(text []byte, name string) ([]byte, error) {
	const advice = "save it as UTF-8"
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, hint.New(name+" is in UTF-16, as PowerShell's > writes files", advice)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			line := 1 + bytes.Count(text[:len(text)-len(rest)], []byte("\n"))
			return nil, hint.New(fmt.Sprintf("%s:%d: a letter is not UTF-8", name, line), advice)
		}
		rest = rest[n:]
	}
	return text, nil
}

// placed turns an error of the YAML library into one line with place and
// excerpt. The excerpt is the one line that is wrong, and never the value of a
// key that may hold a secret: somebody may have written it there by mistake. A
// key that nobody knows may be such a one, mistyped: there is no excerpt.
func (k Kind) placed(err error, name string, text []byte) error {
	located, ok := errors.AsType[interface {
		error
		GetToken() *token.Token
		GetMessage() string
	}](err)
	if !ok || located.GetToken() == nil || located.GetToken().Position == nil {
		return fmt.Errorf("%s is not a valid configuration", name)
	}
	at := located.GetToken().Position
	message := strings.ReplaceAll(located.GetMessage(), "unknown field", "unknown key")
	message, _, _ = strings.Cut(message, "\n")
	if before, _, found := strings.Cut(message, " into Go "); found {
		message = strings.NewReplacer("cannot unmarshal", "unexpected", "[]interface {}", "list",
			"map[string]interface {}", "mapping", "uint64", "number").Replace(before)
	}
	problem := fmt.Sprintf("%s:%d:%d: %s", name, at.Line, at.Column, message)
	if !strings.HasPrefix(message, "unknown key") {
		problem += ": " + excerpt(text, at.Line)
	}
	advice := "compare the key and its indentation with " + k.Manual
	if shape := shapeOf(located.GetMessage()); shape != "" {
		advice = shape + "; " + advice
	}
	return hint.New(problem, advice)
}

// shapeOf says how a value has to be written that is of another type than its
// key takes; empty: that is not what is wrong.
func shapeOf(message string) string {
	_, kind, _ := strings.Cut(message, " of type ")
	switch {
	case strings.Contains(message, "where sequence is expected"), strings.HasPrefix(kind, "[]"):
		return `write a list in brackets: ["…", "…"]`
	case strings.Contains(message, "where mapping is expected"), strings.Contains(kind, "."):
		return "write keys below it, indented, or in braces: {key: value}"
	case kind == "bool":
		return "write true or false, without quotes"
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "write a number, without quotes"
	case kind == "string":
		return "write one text, in quotes"
	}
	return ""
}

// excerpt is a line of the text, cut to what fits into a message.
func excerpt(text []byte, line int) string {
	const most = 80
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return "(end of file)"
	}
	s := strings.TrimSpace(strings.ToValidUTF8(string(lines[line-1]), "?"))
	hides := regexp.MustCompile(`(?i)((?:secret|password|key)\w*["']?\s*:)(.*)`)
	s = hides.ReplaceAllString(s, "$1 …")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

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
func (k Kind) bounded(text []byte, name string) error {
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
				"write plain keys, lists and values, as in "+k.Manual)
		}
	}
	return nil
}

// Resolve makes the path of a "kind:path" reference absolute; any other text
// stays as it is.
func Resolve(ref, kind, folder string) string {
	path, ok := strings.CutPrefix(ref, kind+":")
	if !ok || path == "" || filepath.IsAbs(path) {
		return ref
	}
	return kind + ":" + filepath.Join(folder, path)
}
