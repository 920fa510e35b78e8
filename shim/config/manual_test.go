package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mfabridge/shim/config"
)

// Parts of a configuration that the manuals' examples are set into.
const (
	anEngine   = "engine: {store: sqlite:cloud.db}\n"
	aDirectory = "primaries:\n" +
		"  corp: {type: ldap, urls: [\"ldaps://dc1\"], bind_dn: \"cn=shim,dc=corp,dc=example\", bind_password: file:a.secret, base_dn: \"dc=corp,dc=example\"}\n"
	aServer  = "primaries:\n  old:\n    type: radius\n"
	clients  = "radius:\n  listen: [\"127.0.0.1:1812\"]\n  clients:\n"
	aClient  = "    - name: vpn\n"
	anOrigin = "      networks: [\"127.0.0.1/32\"]\n      secret: file:a.secret\n"
)

// completed makes a whole configuration of an example.
func completed(example string) string {
	switch {
	case strings.HasPrefix(example, "engine:\n  native:"): // which has to prove the first factor as well
		return example + clients + aClient + anOrigin + "      primary: engine\n"
	case strings.HasPrefix(example, "engine:"):
		return example + aDirectory + clients + aClient + anOrigin + "      primary: corp\n"
	case strings.HasPrefix(example, "primaries:"):
		name := regexp.MustCompile(`primaries:\n +(\w+):`).FindStringSubmatch(example)[1]
		return anEngine + example + clients + aClient + anOrigin + "      primary: " + name + "\n"
	case strings.HasPrefix(example, "    servers:"):
		return completed(aServer + example)
	case strings.HasPrefix(example, "    names_tunnel_user:"):
		return completed(aServer + "    servers: [{address: \"10.0.0.5:1812\", secret: file:a.secret}]\n" + example)
	case strings.HasPrefix(example, "radius:"):
		return anEngine + aDirectory + example
	case strings.HasPrefix(example, "      reply:"):
		return completed(aClient + example)
	case strings.HasPrefix(example, "    - name:"):
		if !strings.Contains(example, "networks:") {
			example += anOrigin
		}
		if !strings.Contains(example, "primary:") {
			example += "      primary: corp\n"
		}
		return anEngine + aDirectory + clients + example
	}
	return example
}

// Every example of the manuals is taken as it stands there, set into the rest of
// a configuration. Those with a file's name are run by the tests of documents.
func TestExamplesOfTheManuals(t *testing.T) {
	manuals, err := filepath.Glob("../../docs/clients/*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key := selfSigned(t)
	secrets := regexp.MustCompile(`file:[\w.]+`)
	files := regexp.MustCompile(`\b[\w-]+\.(?:pem|key)\b`)
	count := 0
	for _, path := range append(manuals, "../../docs/shim.md") {
		manual, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range regexp.MustCompile("(?ms)^```yaml\\n(.*?)^```").FindAllSubmatch(manual, -1) {
			count++
			text := secrets.ReplaceAllStringFunc(completed(string(example[1])), func(word string) string {
				if strings.HasSuffix(word, ".pem") {
					return word // of an application: certificate and key together
				}
				return "file:a.secret"
			})
			for _, name := range append(files.FindAllString(text, -1), "a.secret") {
				content := append(append([]byte{}, certificate...), key...)
				if strings.HasSuffix(name, ".key") {
					content = key
				} else if strings.HasSuffix(name, ".secret") {
					content = []byte("a synthetic secret for tests\n")
				}
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := config.Parse([]byte(text), "shim.yaml", dir); err != nil {
				t.Errorf("%s: %v:\n%s", path, err, text)
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d examples", count)
	}
}

// What the recipes say in a line of text, a key with its value or an attribute to
// reply with, is known too.
func TestWordsOfTheRecipes(t *testing.T) {
	recipes, err := filepath.Glob("../../docs/clients/*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.secret"), []byte("a synthetic secret for tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Where a recipe leaves a group out there is one; what is of a primary, or of
	// RadSec, has examples of its own.
	spelt := strings.NewReplacer(`"CN=VPN,…"`, `"CN=VPN,DC=corp,DC=example"`, "{…:", `{"CN=VPN,DC=corp,DC=example":`)
	elsewhere := regexp.MustCompile(`^(type|certificates|names_tunnel_user):`)
	attribute := regexp.MustCompile(`^[A-Z]\w+(-\w+)+$`)
	count := 0
	for _, path := range recipes {
		recipe, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range regexp.MustCompile("`([a-z_]+: [^`]+|[A-Z][\\w-]+-\\w+)`").FindAllSubmatch(recipe, -1) {
			said := string(span[1])
			line := "      " + spelt.Replace(said) + "\n"
			if attribute.MatchString(said) {
				line = "      reply: {static: {" + said + ": 1}}\n"
			} else if elsewhere.MatchString(said) {
				continue
			}
			count++
			if _, _, err := config.Parse([]byte(completed(aClient+line)), "shim.yaml", dir); err != nil {
				t.Errorf("%s: %s: %v", path, said, err)
			}
		}
	}
	if count < 18 {
		t.Errorf("only %d words", count)
	}
}
