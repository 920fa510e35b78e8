package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// marksOfBody are the marks that a body may hold beside those of vars.
var marksOfBody = []string{markCode, markApplication, markText, markNumber, markDigits, markID, markExtension, markCallback, markScript}

// maxDepth is how deep a JSON template is nested.
const maxDepth = 8

// body makes the bodies of requests. Templates are filled as texts and encoded
// afterwards, so that no value can end what it stands in.
type body struct {
	form map[string]Template
	json any // maps, lists, Templates and plain values
	mark map[string]int
}

func newBody(h *HTTP) (*body, error) {
	b := &body{mark: map[string]int{}}
	marks := append(slices.Collect(maps.Keys(h.Vars)), marksOfBody...)
	if h.Form != nil {
		b.form = map[string]Template{}
		for field, text := range h.Form {
			t, err := b.template(text, marks)
			if err != nil {
				return nil, wrapped("form", err)
			}
			b.form[field] = t
		}
	} else {
		tree, err := b.tree(h.JSON, marks, 0)
		if err != nil {
			return nil, wrapped("json", err)
		}
		b.json = tree
	}
	switch {
	case b.mark[markText]+b.mark[markCode]+b.mark[markScript] != 1:
		return nil, errors.New("the body must hold <$text$> or <$otp$>, once; of a call <$script$>")
	case b.mark[markNumber]+b.mark[markDigits] == 0:
		return nil, errors.New("the body must hold <$number$> or <$digits$>")
	}
	return b, nil
}

func (b *body) template(text string, marks []string) (Template, error) {
	t, err := ParseTemplate(text, marks...)
	for _, p := range t.parts {
		b.mark[p.mark]++
	}
	return t, err
}

func (b *body) tree(node any, marks []string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	switch n := node.(type) {
	case string:
		return b.template(n, marks)
	case map[string]any:
		made := make(map[string]any, len(n))
		for key, value := range n {
			t, err := b.tree(value, marks, depth+1)
			if err != nil {
				return nil, err
			}
			made[key] = t
		}
		return made, nil
	case []any:
		made := make([]any, len(n))
		for i, value := range n {
			t, err := b.tree(value, marks, depth+1)
			if err != nil {
				return nil, err
			}
			made[i] = t
		}
		return made, nil
	case nil, bool, uint64, int64, int, float64:
		return n, nil
	default:
		return nil, errors.New("it holds what JSON has not")
	}
}

// fill is a body with its media type.
func (b *body) fill(v Values) (content []byte, media string, err error) {
	if b.form != nil {
		fields := url.Values{}
		for field, t := range b.form {
			if v[markExtension] == "" && t.count(markExtension) > 0 || v[markCallback] == "" && t.count(markCallback) > 0 {
				continue // what is about nothing is left out
			}
			fields.Set(field, t.Fill(v, nil))
		}
		return []byte(fields.Encode()), "application/x-www-form-urlencoded", nil
	}
	content, err = json.Marshal(filled(b.json, v))
	if err != nil {
		return nil, "", errors.New("the message cannot be put into JSON")
	}
	return content, "application/json", nil
}

func filled(node any, v Values) any {
	switch n := node.(type) {
	case Template:
		return n.Fill(v, nil)
	case map[string]any:
		made := make(map[string]any, len(n))
		for key, value := range n {
			made[key] = filled(value, v)
		}
		return made
	case []any:
		made := make([]any, len(n))
		for i, value := range n {
			made[i] = filled(value, v)
		}
		return made
	}
	return node
}
