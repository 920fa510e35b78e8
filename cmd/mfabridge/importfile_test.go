package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func readImport(t *testing.T, text string) (users []string, bad []string) {
	t.Helper()
	f, err := openImport(strings.NewReader(text))
	if err != nil {
		return nil, []string{err.Error()}
	}
	for range 1 + strings.Count(text, "\n") {
		n, _, err := f.next()
		if errors.Is(err, io.EOF) {
			return users, bad
		}
		if err != nil {
			bad = append(bad, err.Error())
			continue
		}
		users = append(users, n.Profile.UPN+" "+n.Sam+" "+strings.Join(n.Groups, "+"))
	}
	return users, bad
}

func TestImportFile(t *testing.T) {
	users, bad := readImport(t, "\ufeffgroups,userPrincipalName,SamAccountName,Enabled,UserType\n"+
		"a; b;a;,ada@contoso.example,ada,yes,Guest\n"+
		",bob@contoso.example,,maybe,\n"+
		",carl@contoso.example,,,alien\n"+
		",,,,\n"+
		"too,few\n"+
		",\"dora\n@contoso.example\",dora,0,\n"+
		",em\"il,,,\n"+
		",fay@contoso.example,,1,member\n")
	if want := []string{"ada@contoso.example ada a+b", "dora\n@contoso.example dora ", "fay@contoso.example  "}; !slices.Equal(users, want) {
		t.Errorf("users %q", users)
	}
	for i, at := range []string{"3:23: Enabled", "4:25: UserType", "5:2: UserPrincipalName is empty", "6:1: wrong number", "9:4: bare"} {
		if i >= len(bad) || !strings.HasPrefix(bad[i], at) {
			t.Errorf("bad rows %q, want %q at %d", bad, at, i)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "1:1: the file is empty"},
		"unknown column":   {"UserPrincipalName,Password\n", `1:19: there is no column "Password"`},
		"twice":            {"UserPrincipalName,Sid,SID\n", "1:23: the column Sid"},
		"no key":           {"Sid\n", "1:1: the column UserPrincipalName is missing"},
		"a quote for good": {"UserPrincipalName\nx@contoso.example\n\"" + strings.Repeat("secret\n", 20_000), "the row is too long"},
	} {
		_, bad := readImport(t, c.text)
		if len(bad) == 0 || !strings.Contains(bad[len(bad)-1], c.want) || strings.Contains(strings.Join(bad, ""), "secret") {
			t.Errorf("%s: %q", name, bad)
		}
	}
}

// Whatever the file holds, reading it ends, and what it yields has a name.
func FuzzImportFile(f *testing.F) {
	f.Add("UserPrincipalName,Sid,SamAccountName,DisplayName,Enabled,UserType,Roles,Groups\nada@contoso.example,S-1-5-21-1,ada,Ada,true,Member,Reader,A;B\n")
	f.Add("userprincipalname\n\"\n\"\"x\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := openImport(strings.NewReader(text))
		if err != nil {
			return
		}
		for range len(text) + 2 {
			n, _, err := file.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && n.Profile.UPN == "" {
				t.Fatal("a user without a name")
			}
		}
		t.Fatal("the reading does not end")
	})
}
