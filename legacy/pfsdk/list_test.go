package pfsdk_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/legacy/pfsdk"
)

func TestAllUsersAreFoundThoughListsAreShort(t *testing.T) {
	all := people(300)
	all = append(all, "u", "us", "用户@contoso.example", "用@contoso.example")
	few := append(people(60), "u", "us")
	for _, style := range []pfsdk.FilterStyle{pfsdk.FilterPrefix, pfsdk.FilterWildcard, pfsdk.FilterSubstring} {
		all, limit, alphabet := all, 40, ""
		if style == pfsdk.FilterSubstring { // its lists are many
			all, limit, alphabet = few, 30, "abcdefghijklmnopqrstuvwxyz0123456789@."
		}
		s, config := start(t, &server{users: all, limit: limit, style: style})
		client, err := pfsdk.NewClient(config, 4)
		if err != nil {
			t.Fatal(err)
		}
		found, err := client.FindAll(t.Context(), pfsdk.Search{Style: style, Parallel: 4, Alphabet: alphabet})
		if err != nil {
			t.Fatalf("%s: %v", style, err)
		}
		missing := map[string]bool{}
		for _, u := range all {
			missing[u] = true
		}
		for _, u := range found.Usernames {
			delete(missing, u)
		}
		for _, short := range found.Short {
			delete(missing, short)
		}
		// A character of which no list ever shows a name cannot be guessed.
		for name := range missing {
			if !strings.HasPrefix(name, "用") || strings.Contains(strings.Join(found.Usernames, ""), "用") {
				t.Errorf("%s: %s was not found", style, name)
			}
		}
		t.Logf("%s: %d users by %d lists, asked %d times", style, len(found.Usernames), found.Lists, len(s.all()))
	}
}

func TestUnderscoresMayBeWildcards(t *testing.T) {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("user%c%03d@contoso.example", "_-"[i%2], i))
	}
	_, config := start(t, &server{users: all, limit: 40, like: true})
	client, err := pfsdk.NewClient(config, 4)
	if err != nil {
		t.Fatal(err)
	}
	const few = "abcdefghijklmnopqrstuvwxyz0123456789@.-"
	found, err := client.FindAll(t.Context(), pfsdk.Search{Parallel: 4, Alphabet: few})
	if err != nil || len(found.Usernames) != 200 || !found.Underscore {
		t.Fatalf("%d users, %v (%s)", len(found.Usernames), err, hint.Of(err))
	}
	t.Logf("%d lists", found.Lists)
}

func TestNonsenseOfListsStopsTheSearch(t *testing.T) {
	lists := func(rows, complete string) map[string]func(http.ResponseWriter, string) bool {
		return map[string]func(http.ResponseWriter, string) bool{"FindUsers_4": func(w http.ResponseWriter, _ string) bool {
			send(w, answer("FindUsers_4", "<userRows>"+rows+"</userRows><resultsComplete>"+complete+"</resultsComplete>"))
			return true
		}}
	}
	forgetful := &atomic.Int32{}
	for _, c := range []struct {
		name   string
		server *server
		style  pfsdk.FilterStyle
		want   string
	}{
		{"filters by substring", &server{users: people(100), limit: 10, style: pfsdk.FilterSubstring}, pfsdk.FilterPrefix, "a list holds users that were not asked for"},
		{"takes no wildcards", &server{users: people(100), limit: 10}, pfsdk.FilterWildcard, "a list that is said to be complete lacks a user that another list holds"},
		{"wants wildcards", &server{users: people(100), limit: 10, style: pfsdk.FilterWildcard}, pfsdk.FilterPrefix, "a list that is said to be complete lacks a user that another list holds"},
		{"ignores the filter", &server{answers: lists("<UserRow><Username>ada</Username></UserRow>", "false")}, pfsdk.FilterPrefix, "a list holds users that were not asked for"},
		{"never ends", &server{answers: lists("", "false")}, pfsdk.FilterPrefix, "the server says that a list is not complete, but lists nobody"},
		{"lists nobody", &server{answers: lists("", "true")}, pfsdk.FilterPrefix, "the server lists no users"},
		{"names nobody", &server{answers: lists("<UserRow><FirstName>Ada</FirstName></UserRow>", "true")}, pfsdk.FilterPrefix, "an answer cannot be right: it lists a user without a name"},
		{"one name for ever", &server{answers: map[string]func(http.ResponseWriter, string) bool{"FindUsers_4": func(w http.ResponseWriter, _ string) bool {
			forgetful.Add(1)
			send(w, answer("FindUsers_4", "<userRows><UserRow><Username>"+strings.Repeat("a", 400)+"</Username></UserRow></userRows><resultsComplete>false</resultsComplete>"))
			return true
		}}}, pfsdk.FilterPrefix, "a list holds users that were not asked for"},
	} {
		_, config := start(t, c.server)
		o := options(t)
		o.Search.Style = c.style
		_, err := pull(t, config, o)
		if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" && !strings.Contains(c.want, "without a name") {
			t.Errorf("%s: got %v (%s)", c.name, err, hint.Of(err))
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: an export was written", c.name)
		}
	}
}
