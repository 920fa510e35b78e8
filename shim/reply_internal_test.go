package shim

import (
	"bytes"
	"testing"

	"mfabridge/shim/config"
	"mfabridge/shim/dictionary"
)

const (
	classA  = "\x19\x03a"
	classB  = "\x19\x03b"
	filter  = "\x0b\x03f"
	fortiV  = "\x1a\x09\x00\x00\x30\x44\x01\x03v"
	twoVSAs = "\x1a\x0c\x00\x00\x30\x44\x01\x03v\x06\x03w"
	broken  = "\x1a\x03x"
)

func TestReplyRulesCompose(t *testing.T) {
	group := map[string][]byte{"vpn": []byte(classB), "admins": []byte(fortiV + classB)}
	class, forti := dictionary.Key{Number: 25}, dictionary.Key{Vendor: 12356, Number: 1}
	for _, c := range []struct {
		name   string
		rules  config.ReplyRules
		passed string
		groups []string
		want   string
	}{
		{"everything passes", config.ReplyRules{PassAll: true}, classA + filter + broken, nil, classA + filter + broken},
		{"nothing passes", config.ReplyRules{}, classA + filter + broken, nil, ""},
		{"only what is named", config.ReplyRules{Pass: map[dictionary.Key]bool{class: true}}, classA + filter + fortiV + broken, nil, classA},
		{"vendor's, by name", config.ReplyRules{Pass: map[dictionary.Key]bool{forti: true}}, classA + fortiV, nil, fortiV},
		{"two in one, one of them named", config.ReplyRules{Pass: map[dictionary.Key]bool{forti: true}}, twoVSAs, nil, ""},
		{"static", config.ReplyRules{PassAll: true, Static: []byte(classB)}, classA + filter, nil, classB + filter},
		{"a group's", config.ReplyRules{PassAll: true, Groups: group}, classA + filter, []string{"VPN"}, classB + filter},
		{"of two groups, equal ones once", config.ReplyRules{Groups: group}, classA, []string{"vpn", "admins", "others"}, fortiV + classB},
		{"a group before static", config.ReplyRules{Groups: group, Static: []byte(classA + filter)}, "", []string{"vpn"}, classB + filter},
		{"nobody's group", config.ReplyRules{Groups: group, Static: []byte(classA)}, "", []string{"vpn2"}, classA},
	} {
		got, err := compose(c.rules, []byte(c.passed), c.groups)
		if err != nil || !bytes.Equal(got, []byte(c.want)) {
			t.Errorf("%s: %x, %v, want %x", c.name, got, err, c.want)
		}
	}
	if got, err := compose(config.ReplyRules{Static: []byte(classA)}, []byte("\x19\x09x"), nil); err == nil {
		t.Errorf("malformed attributes became %x", got)
	}
}
