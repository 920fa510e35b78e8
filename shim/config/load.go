package config

import (
	"errors"
	"path/filepath"

	"mfabridge/internal/confcheck"
	"mfabridge/internal/strictyaml"
)

// MaxFile is the largest configuration that is read, in bytes.
const MaxFile = strictyaml.MaxFile

// file is what is said of the file where it is wrong.
func file() strictyaml.Kind {
	return strictyaml.Kind{Name: "shim configuration", Manual: "docs/shim.md",
		Empty: "it needs at least engine, radius.listen and one of radius.clients"}
}

// Load reads, checks and completes a configuration file. Warnings are
// sentences for the operator; the error joins everything that is wrong.
func Load(path string) (c *Config, warnings []string, err error) {
	text, folder, err := file().Read(path)
	if err != nil {
		return nil, nil, err
	}
	return Parse(text, filepath.Base(path), folder)
}

// Parse is [Load] of text that was read already. The name stands in errors;
// relative paths count from folder.
func Parse(text []byte, name, folder string) (c *Config, warnings []string, err error) {
	c = new(Config)
	if err := file().Decode(text, name, c); err != nil {
		return nil, nil, err
	}
	k := &check{Config: c, Check: confcheck.Check{Folder: folder}}
	k.all()
	if len(k.Problems) > 0 {
		return nil, k.Warnings, errors.Join(k.Problems...)
	}
	return c, k.Warnings, nil
}

// Data is the data folder that a file names, for who wants nothing else of it:
// what the rest of it says may be wrong, and its secrets another user's.
func Data(path string) (string, error) {
	text, folder, err := file().Read(path)
	if err != nil {
		return "", err
	}
	c := new(Config)
	if err := file().Decode(text, filepath.Base(path), c); err != nil {
		var all map[string]any // a key that nobody knows, say; where that may have been meant for data, nothing is known
		c.Data = ""
		if file().Decode(text, filepath.Base(path), &all) == nil {
			c.Data, _ = all["data"].(string)
		}
		if c.Data == "" {
			return "", err
		}
	}
	return c.folder(folder), nil
}

// folder is the data folder, from that of the file on.
func (c *Config) folder(from string) string {
	if filepath.IsAbs(c.Data) {
		return c.Data
	}
	return filepath.Join(from, c.Data)
}
