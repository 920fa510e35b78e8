package pfsdk_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/legacy/pfsdk"
)

// writing are the operations of the SDK that change something or verify a
// person, and those that tell a PIN's rules or a question.
const writing = `AddUser AddUser_3 DeleteUser ChangePhone ChangePin ChangeMode ChangeMode_2 ChangePinMode ChangeSmsMode ChangePhoneAppMode
ChangeLanguage ChangeUserInformation ChangeSecurityQuestions ChangeUsername ChangeOathToken ChangeOathToken_2 ChangeStaticToken Enable Disable
DisabledBehavior BlockUser UnblockUser OneTimeBypass OneTimeBypass_2 ResetVoiceprint DeleteUserDevice GenerateActivationCode Activate ActivateNew
ConfirmActivation PrimaryAuthUser PfAuthUser PfAuthUser_5 CombinedAuthUser_4 ValidatePin ValidatePasscode ValidateOathCode
ValidateSecurityQuestionAnswers ValidateStaticToken EventConfirmation DeleteUserGdpr GetSecurityQuestions`

func TestNoOperationThatWritesCanBeNamed(t *testing.T) {
	reading := map[string]bool{}
	for i := range 256 {
		name := pfsdk.Operation(i).String()
		if name == "" {
			continue
		}
		reading[name] = true
		if !strings.HasPrefix(name, "Get") && !strings.HasPrefix(name, "FindUsers") && !strings.HasPrefix(name, "Test") && name != "UserIsBlocked" {
			t.Errorf("%s does not look like reading", name)
		}
	}
	for _, name := range strings.Fields(writing) {
		if reading[name] {
			t.Errorf("%s can be sent", name)
		}
	}
	if len(reading) != len(pfsdk.Operations()) || len(reading) < 10 {
		t.Errorf("%d names, %d operations", len(reading), len(pfsdk.Operations()))
	}
}

// All requests leave from one function, whose operation is an Operation.
func TestRequestsLeaveFromOnePlace(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, _ := s.X.(*ast.Ident)
				if x != nil && x.Name == "http" && (strings.HasPrefix(s.Sel.Name, "NewRequest") || s.Sel.Name == "Post" || s.Sel.Name == "Get" || s.Sel.Name == "PostForm") || s.Sel.Name == "Do" {
					places = append(places, fn.Name.Name)
				}
				return true
			})
		}
	}
	if strings.Join(places, " ") != "send send" {
		t.Errorf("requests are made in %v", places)
	}
}

// What a whole pull really sends.
func TestAPullOnlyReads(t *testing.T) {
	s, config := start(t, &server{users: people(120), limit: 30, lacks: []string{"FindUsers_4", "GetUserSettings_3"}})
	if _, err := pull(t, config, options(t)); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, o := range pfsdk.Operations() {
		allowed[o.String()] = true
	}
	for _, asked := range s.all() {
		if name, _, _ := strings.Cut(asked, " "); !allowed[name] {
			t.Errorf("%s was sent", name)
		}
	}
	if len(s.all()) < 360 {
		t.Errorf("only %d requests", len(s.all()))
	}
}
