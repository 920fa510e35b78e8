package planfile

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// keySize is the length of each of the two keys in bytes.
const keySize = 32

// key is what F.key holds: the plan that it belongs to, the key of the sealed
// values and the key of the MAC.
type key struct {
	plan string
	data secret.Bytes
	mac  secret.Bytes
}

const keyIntro = "# Key of a migration plan. Whoever has it can read the telephone numbers and\n" +
	"# secrets in the plan, and make plans that pass for this one. Keep it private.\n"

func newKey(plan string) key {
	return key{plan: plan, data: secret.New(random(keySize)), mac: secret.New(random(keySize))}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, see its documentation
	return b
}

// marshal is the text of F.key.
func (k key) marshal() []byte {
	enc := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, "%smfabridge-plan-key %d\nplan %s\ndata %s\nmac %s\n",
		keyIntro, Version, k.plan, enc(k.data.Reveal()), enc(k.mac.Reveal()))
}

// readKey reads F.key, which nobody but its owner may be able to read.
func readKey(path string) (key, error) {
	b, err := secret.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return key{}, hint.Wrap(&absent{"the plan's key " + path + " is not there"},
			"copy the .key file that was made with the plan to where the plan is, readable by you only")
	}
	if err != nil {
		return key{}, err
	}
	k, err := parseKey(b.Reveal())
	if err != nil {
		return key{}, hint.Wrap(fmt.Errorf("%s cannot be used: %w", path, err), "use the .key file that was made with the plan")
	}
	return k, nil
}

// parseKey reads the text of F.key strictly: lines that begin with # are left
// out, the four others stand in their order.
func parseKey(b []byte) (key, error) {
	var lines []string
	for line := range bytes.Lines(b) {
		if text := strings.TrimRight(string(line), "\r\n"); !strings.HasPrefix(text, "#") {
			lines = append(lines, text)
		}
	}
	if len(lines) != 4 {
		return key{}, errors.New("this is not the key of a plan")
	}
	var version int64
	if n, err := fmt.Sscanf(lines[0], "mfabridge-plan-key %d", &version); n != 1 || err != nil {
		return key{}, errors.New("this is not the key of a plan")
	}
	if version != Version {
		return key{}, tooNew("the plan's key", version)
	}
	plan, ok := strings.CutPrefix(lines[1], "plan ")
	data, ok1 := keyLine(lines[2], "data ")
	mac, ok2 := keyLine(lines[3], "mac ")
	if !ok || !ok1 || !ok2 || plan == "" {
		return key{}, errors.New("the plan's key is damaged")
	}
	return key{plan: plan, data: data, mac: mac}, nil
}

func keyLine(line, name string) (secret.Bytes, bool) {
	text, ok := strings.CutPrefix(line, name)
	if !ok {
		return secret.Bytes{}, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != keySize {
		return secret.Bytes{}, false
	}
	return secret.New(b), true
}
