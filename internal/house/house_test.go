package house_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/internal/house"
)

const module = "mfabridge"

// rooms says which packages of this module a room may import besides
// internal/…, which everybody may. A room named with a trailing "/…" covers
// everything below it that has no entry of its own. An empty list: none.
//
//	legacy -> migrate -> cloud <- shim        only cmd sees everything
var rooms = map[string][]string{
	"internal/…":                   {},
	"legacy":                       {"legacy/phone", "legacy/pskc", "legacy/pfsdk"},
	"legacy/pfsdk":                 {},
	"legacy/phone":                 {},
	"legacy/pskc":                  {},
	"legacy/pskc/pskctest":         {"legacy/pskc"},
	"cloud":                        {},
	"cloud/cloudtest":              {"cloud"},
	"cloud/rehearse":               {"cloud"},
	"cloud/firstfactor":            {},
	"cloud/oath":                   {"cloud"},
	"cloud/engine":                 {"cloud", "cloud/oath", "cloud/form", "cloud/engine/access", "cloud/engine/audit", "cloud/engine/seal", "cloud/engine/signature", "cloud/engine/tries"},
	"cloud/engine/signature":       {"cloud"},
	"cloud/engine/tries":           {"cloud"},
	"cloud/engine/audit":           {},
	"cloud/engine/seal":            {"cloud"},
	"cloud/engine/access":          {"cloud", "cloud/form"},
	"cloud/form":                   {"cloud"},
	"cloud/engine/store/queue":     {"cloud", "cloud/engine"},
	"cloud/engine/store/rows":      {"cloud", "cloud/oath", "cloud/engine", "cloud/engine/audit", "cloud/engine/tries"},
	"cloud/engine/store/sqlite":    {"cloud", "cloud/oath", "cloud/engine", "cloud/engine/audit", "cloud/engine/seal", "cloud/engine/tries", "cloud/engine/store/queue", "cloud/engine/store/rows"},
	"cloud/engine/channel":         {"cloud", "cloud/form", "cloud/engine", "cloud/engine/channel/…"},
	"cloud/engine/channel/…":       {"cloud/engine/channel/carrier"},
	"cloud/engine/channel/webpush": {"cloud", "cloud/engine"},
	"cloud/engine/http/wire":       {"cloud"},
	"cloud/engine/http/serve":      {"cloud", "cloud/engine", "cloud/engine/http/wire"},
	"cloud/engine/http/oauth":      {"cloud", "cloud/engine", "cloud/engine/http/wire", "cloud/engine/http/serve"},
	"cloud/engine/http/directory":  {"cloud", "cloud/engine", "cloud/engine/http/wire", "cloud/engine/http/serve"},
	"cloud/engine/http/verify":     {"cloud", "cloud/engine", "cloud/engine/http/wire", "cloud/engine/http/serve"},
	"cloud/engine/http/admin":      {"cloud", "cloud/engine", "cloud/engine/audit", "cloud/engine/http/wire", "cloud/engine/http/serve"},
	"cloud/engine/http/pages":      {"cloud", "cloud/engine", "cloud/engine/signature", "cloud/engine/http/wire", "cloud/engine/http/serve"},
	"cloud/engine/http/app":        {"cloud", "cloud/engine/http/serve"},
	"cloud/engine/http/native":     {"cloud", "cloud/engine", "cloud/engine/access", "cloud/engine/http/serve"},
	"cloud/engine/http/receipts":   {"cloud", "cloud/engine/channel/carrier", "cloud/engine/http/serve"},
	"cloud/engine/http/graph":      {"cloud", "cloud/engine"},
	"cloud/engine/http/api": {"cloud", "cloud/engine", "cloud/engine/http/serve", "cloud/engine/http/oauth",
		"cloud/engine/http/directory", "cloud/engine/http/verify", "cloud/engine/channel", "cloud/engine/http/receipts", "cloud/engine/http/admin", "cloud/engine/http/pages", "cloud/engine/http/app", "cloud/engine/http/native"},
	"cloud/engine/store/postgres": {
		"cloud", "cloud/oath", "cloud/engine", "cloud/engine/audit", "cloud/engine/seal", "cloud/engine/tries", "cloud/engine/store/queue", "cloud/engine/store/rows"},
	"cloud/engine/store/storetest": {
		"cloud", "cloud/cloudtest", "cloud/oath", "cloud/engine", "cloud/engine/audit", "cloud/engine/seal", "cloud/engine/tries"},
	"cloud/engine/config":       {"cloud", "cloud/engine", "cloud/engine/channel", "cloud/firstfactor"},
	"cloud/remote":              {"cloud", "cloud/engine/http/wire"},
	"cloud/graph":               {"cloud", "cloud/oath"},
	"cloud/session":             {"cloud"},
	"cloud/connector":           {"cloud", "cloud/session"},
	"cloud/nativeauth":          {"cloud", "cloud/session"},
	"cloud/session/sessiontest": {"cloud", "cloud/cloudtest", "cloud/engine", "cloud/engine/tries", "cloud/engine/enginetest"},
	"cloud/engine/enginetest":   {"cloud", "cloud/cloudtest", "cloud/engine", "cloud/engine/seal", "cloud/engine/channel", "cloud/engine/store/sqlite"},
	"cloud/remote/admin":        {"cloud", "cloud/engine", "cloud/engine/audit", "cloud/engine/http/wire", "cloud/remote"},
	"cloud/remote/device":       {"cloud", "cloud/oath", "cloud/engine/signature", "cloud/engine/http/wire", "cloud/remote"},
	"migrate":                   {"legacy", "legacy/phone", "cloud", "cloud/form"},
	"migrate/board":             {"legacy", "migrate", "cloud"},
	"migrate/ldapdir":           {"migrate", "cloud"},
	"migrate/shimconf":          {"legacy", "migrate"},
	"migrate/planfile":          {"legacy", "migrate", "cloud"},
	"shim":                      {"cloud", "cloud/form", "shim/radius", "shim/config", "shim/observe", "shim/dictionary"},
	"shim/radius":               {},
	"shim/observe":              {},
	"shim/bypass":               {"shim/journal"},
	"shim/metrics":              {"shim", "shim/observe"},
	"shim/radsec":               {"shim", "shim/config"},
	"shim/accounting":           {"shim", "shim/config", "shim/radius", "shim/upstream"},
	"shim/journal":              {},
	"shim/dictionary":           {},
	"shim/config":               {"cloud/firstfactor", "shim/dictionary"},
	"shim/upstream":             {"cloud", "shim/radius"},
	"shim/primary":              {"cloud", "shim", "shim/radius", "shim/upstream"},
	"shim/nps":                  {"cloud", "cloud/session", "shim/radius", "shim/upstream"},
	"fixtures/…":                {},
	"cmd/mfabridge": {"legacy", "legacy/…", "cloud", "cloud/…", "migrate", "migrate/…", "shim", "shim/…",
		"fixtures", "fixtures/…"},
}

// outside says which imports from outside this module belong to one room:
// nobody else may use them.
var outside = map[string][]string{
	"github.com/urfave/cli/v2":                         {"cmd/mfabridge"},
	"github.com/schollz/progressbar/v3":                {"cmd/mfabridge"},
	"github.com/mattn/go-sqlite3":                      {"cloud/engine/store/sqlite", "migrate/planfile"},
	"github.com/jackc/pgx/v5/pgconn":                   {"cloud/engine/store/postgres"},
	"database/sql":                                     {"cloud/engine/store/sqlite", "migrate/planfile"},
	"github.com/go-ldap/ldap/v3":                       {"internal/ldapconn"},
	"encoding/csv":                                     {"migrate", "cmd/mfabridge"},
	"encoding/xml":                                     {},
	"net/http":                                         {"legacy/pfsdk", "shim/metrics", "cloud/engine/http/…", "cloud/engine/channel", "cloud/engine/channel/…", "cloud/remote", "cloud/remote/device", "cloud/graph", "cloud/connector", "cloud/nativeauth", "cmd/mfabridge"},
	"layeh.com/radius":                                 {},
	"github.com/nyaruka/phonenumbers":                  {"legacy/phone"},
	"github.com/go-jose/go-jose/v4":                    {"cloud/engine/http/oauth", "cloud/engine/channel/rcs", "cloud/engine/channel/rcs/rcstest", "cloud/engine/channel/carrier/carriertest"},
	"github.com/goccy/go-yaml":                         {"internal/strictyaml"},
	"filippo.io/age":                                   {"legacy", "fixtures", "migrate/planfile", "cmd/mfabridge"},
	"github.com/Azure/azure-sdk-for-go/sdk/azcore":     {"cloud/graph", "cloud/connector", "cmd/mfabridge"},
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity": {"cmd/mfabridge"},
	"github.com/pquerna/otp":                           {"cloud/oath"},
	"github.com/SherClockHolmes/webpush-go":            {"cloud/engine/channel/webpush"},
	"github.com/tink-crypto/tink-go/v2":                {"cloud/engine/seal"},
	"github.com/wneessen/go-mail":                      {"cloud/engine/channel"},
	"github.com/prometheus":                            {"shim/metrics", "internal/meter"},
	"log":                                              {},
	"testing":                                          {"cloud/cloudtest", "cloud/session/sessiontest", "cloud/engine/enginetest", "cloud/engine/store/storetest", "internal/peer", "internal/ldapconn/ldaptest", "cloud/engine/channel/smpp/smpptest", "cloud/engine/channel/rcs/rcstest", "cloud/engine/channel/carrier/carriertest", "cloud/engine/channel/webpush/webpushtest"},
}

func read(t *testing.T) map[string]*house.Package {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	packages, err := house.Read(root, module)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 {
		t.Fatalf("found only %d packages below %s", len(packages), root)
	}
	return packages
}

func matches(pattern, room string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/…"); ok {
		return room == prefix || strings.HasPrefix(room, prefix+"/")
	}
	return room == pattern
}

func ruleOf(room string) ([]string, bool) {
	if allowed, ok := rooms[room]; ok {
		return allowed, true
	}
	for pattern, allowed := range rooms {
		if strings.HasSuffix(pattern, "/…") && matches(pattern, room) {
			return allowed, true
		}
	}
	return nil, false
}

func mayImport(room, imported string) bool {
	if strings.HasPrefix(imported, "internal/") {
		return true
	}
	allowed, _ := ruleOf(room)
	for _, pattern := range allowed {
		if matches(pattern, imported) {
			return true
		}
	}
	// Within one "…" room packages may use each other.
	for pattern := range rooms {
		if strings.HasSuffix(pattern, "/…") && matches(pattern, room) && matches(pattern, imported) {
			return true
		}
	}
	return false
}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	for importPath, p := range read(t) {
		room := strings.TrimPrefix(importPath, module+"/")
		if _, ok := ruleOf(room); !ok {
			t.Errorf("%s has no rule: say in house_test.go what it may import", room)
			continue
		}
		for imported, files := range p.Imports {
			inner, ours := strings.CutPrefix(imported, module+"/")
			if ours && !mayImport(room, inner) {
				t.Errorf("%s imports %s (%v), which its rule does not allow", room, inner, files)
			}
		}
	}
}

func TestTechnologyStaysInItsRoom(t *testing.T) {
	for importPath, p := range read(t) {
		room := strings.TrimPrefix(importPath, module+"/")
		for technology, homes := range outside {
			for imported, files := range p.Imports {
				if imported != technology && !strings.HasPrefix(imported, technology+"/") {
					continue
				}
				if technology == "log" && imported != "log" { // log/slog is welcome everywhere
					continue
				}
				if !contains(homes, room) {
					t.Errorf("%s imports %s (%v), which belongs to %v", room, imported, files, homes)
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if matches(v, s) {
			return true
		}
	}
	return false
}

func TestRulesSpeakOfRoomsThatExist(t *testing.T) {
	packages := read(t)
	exists := func(pattern string) bool {
		for importPath := range packages {
			if matches(pattern, strings.TrimPrefix(importPath, module+"/")) {
				return true
			}
		}
		return false
	}
	for room, allowed := range rooms {
		for _, pattern := range append([]string{room}, allowed...) {
			if !exists(pattern) {
				t.Errorf("the rule of %q speaks of %q, which does not exist", room, pattern)
			}
		}
	}
	for technology, homes := range outside {
		for _, home := range homes {
			if !exists(home) {
				t.Errorf("%s is said to belong to %q, which does not exist", technology, home)
			}
		}
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	for importPath, p := range read(t) {
		if len(p.Doc) < 60 {
			t.Errorf("%s has no package comment worth the name: %q", importPath, p.Doc)
		}
	}
}

// The rules themselves must be able to say no.
func TestForbiddenImportIsSeen(t *testing.T) {
	for _, c := range []struct {
		room, imported string
		want           bool
	}{
		{"legacy", "cloud", false},
		{"shim/radius", "legacy", false},
		{"migrate", "cloud/engine", false},
		{"shim", "cloud/engine", false},
		{"cloud/engine", "cloud/engine/store/sqlite", false},
		{"cloud", "legacy", false},
		{"cloud/engine/config", "shim/config", false},
		{"cloud/remote", "cloud/engine", false},
		{"cloud/engine", "cloud/engine/http/serve", false},
		{"cloud/form", "cloud/engine", false},
		{"cloud/engine/access", "cloud/engine", false},
		{"cloud/engine/seal", "cloud/engine", false},
		{"cloud/engine/audit", "cloud/engine", false},
		{"cloud/engine/tries", "cloud/engine", false},
		{"cloud/engine/http/verify", "cloud/engine/http/directory", false},
		{"migrate", "cloud", true},
		{"shim", "cloud", true},
		{"cmd/mfabridge", "cloud/engine/store/sqlite", true},
	} {
		if got := mayImport(c.room, c.imported); got != c.want {
			t.Errorf("mayImport(%s, %s) = %v, want %v", c.room, c.imported, got, c.want)
		}
	}
}
