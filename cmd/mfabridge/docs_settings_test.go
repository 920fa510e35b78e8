package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	engineconfig "mfabridge/cloud/engine/config"
	shimconfig "mfabridge/shim/config"
)

// A setting that no document names is found by nobody.
func TestDocumentsNameEverySetting(t *testing.T) {
	manuals, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile("`[^`]+`|(?m)^ {4,}.*$|(?s)```.*?```") // as code
	word := regexp.MustCompile(`[a-z0-9_]+`)
	var words []string
	for _, path := range manuals {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range written.FindAllString(string(text), -1) {
			words = append(words, word.FindAllString(code, -1)...)
		}
	}
	slices.Sort(words)
	words = slices.Compact(words)
	for of, conf := range map[string]any{"shim.yaml": shimconfig.Config{}, "engine.yaml": engineconfig.Config{}} {
		keys := settings(reflect.TypeOf(conf), nil)
		if len(keys) < 40 {
			t.Errorf("%s has %d settings only", of, len(keys))
		}
		for _, key := range keys {
			if _, found := slices.BinarySearch(words, key); !found {
				t.Errorf("no document names %s of %s", key, of)
			}
		}
	}
}

// settings are the keys of a configuration, at any depth.
func settings(of reflect.Type, inside []reflect.Type) (keys []string) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return settings(of.Elem(), inside)
	case reflect.Struct:
	default:
		return nil
	}
	if slices.Contains(inside, of) {
		return nil
	}
	for i := range of.NumField() {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
		if key != "" && key != "-" {
			keys = append(keys, key)
		}
		keys = append(keys, settings(of.Field(i).Type, append(inside, of))...)
	}
	return keys
}
