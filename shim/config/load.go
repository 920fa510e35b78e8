package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"

	"mfabridge/internal/hint"
)

// MaxFile is the largest configuration that is read, in bytes.
const MaxFile = 1 << 20

// Load reads, checks and completes a configuration file. Warnings are
// sentences for the operator; the error joins everything that is wrong.
func Load(path string) (c *Config, warnings []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, hint.Wrap(fmt.Errorf("shim configuration cannot be opened: %w", err),
			"give the path of a YAML file, see docs for an example")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("shim configuration cannot be read: %w", err)
	case len(text) > MaxFile:
		return nil, nil, fmt.Errorf("shim configuration %s is larger than %d bytes", path, MaxFile)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, fmt.Errorf("folder of the shim configuration cannot be told: %w", err)
	}
	return Parse(text, filepath.Base(path), folder)
}

// Parse is [Load] of text that was read already. The name stands in errors;
// relative paths count from folder.
func Parse(text []byte, name, folder string) (c *Config, warnings []string, err error) {
	c = new(Config)
	if err := decode(text, name, c); err != nil {
		return nil, nil, err
	}
	k := &check{Config: c, folder: folder}
	k.all()
	if len(k.problems) > 0 {
		return nil, k.warnings, errors.Join(k.problems...)
	}
	return c, k.warnings, nil
}

// decode reads exactly one document into c.
func decode(text []byte, name string, c *Config) (err error) {
	defer func() {
		// The YAML library panics on some broken documents; those too are a
		// mistake in a file and no fault of ours.
		if recover() != nil {
			err = hint.New(name+" is not valid YAML", "check its indentation")
		}
	}()
	if err := bounded(text, name); err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	switch err := decoder.Decode(c); {
	case errors.Is(err, io.EOF):
		return hint.New(name+" is empty", "it needs at least engine.store, radius.listen and one of radius.clients")
	case err != nil:
		return placed(err, name, text)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return hint.New(name+" holds more than one YAML document", "remove the line --- and what follows it")
	}
	return nil
}

// placed turns an error of the YAML library into one line with place and
// excerpt. The excerpt is the one line that is wrong, and never the value of a
// key that may hold a secret: somebody may have written it there by mistake.
func placed(err error, name string, text []byte) error {
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
	problem := fmt.Errorf("%s:%d:%d: %s: %s", name, at.Line, at.Column, message, excerpt(text, at.Line))
	return hint.Wrap(problem, "compare the key and its indentation with the documentation of the shim's configuration")
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

// resolve makes the path of a "kind:path" reference absolute.
func resolve(ref, kind, folder string) string {
	path, ok := strings.CutPrefix(ref, kind+":")
	if !ok || path == "" || filepath.IsAbs(path) {
		return ref
	}
	return kind + ":" + filepath.Join(folder, path)
}
