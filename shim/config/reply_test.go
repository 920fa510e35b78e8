package config_test

import (
	"strings"
	"testing"

	"mfabridge/shim/config"
)

const corpReply = `engine: {store: sqlite:cloud.db}
primaries:
  corp: {type: ldap, urls: ["ldaps://dc1.corp.example"], base_dn: "dc=corp,dc=example"}
radius:
  listen: ["127.0.0.1:1812"]
  clients:
    - name: vpn
      networks: [10.0.0.1]
      secret: file:vpn.secret
      primary: corp
      reply:
        pass: [Class, Fortinet-Group-Name]
        groups:
          "CN=VPN Users,OU=Groups,DC=corp,DC=example": {Fortinet-Group-Name: [vpn, all], Class: 7}
        static: {Service-Type: Framed-User}
`

func TestReplyRules(t *testing.T) {
	c, _, err := config.Parse([]byte(corpReply), "shim.yaml", folder(t))
	if err != nil {
		t.Fatal(err)
	}
	rules := c.RADIUS.Clients[0].Reply.Rules
	if rules.PassAll || len(rules.Pass) != 2 || string(rules.Static) != "\x06\x06\x00\x00\x00\x02" {
		t.Errorf("rules %+v", rules)
	}
	got := rules.Groups[config.GroupKey("cn=vpn users, ou=groups,dc=corp,dc=example")]
	if string(got) != "\x19\x037\x1a\x0b\x00\x00\x30\x44\x01\x05vpn\x1a\x0b\x00\x00\x30\x44\x01\x05all" {
		t.Errorf("group's attributes %q", got)
	}
	if !c.Primaries["corp"].WantGroups {
		t.Error("the directory is not asked for groups")
	}
	short := strings.Replace(corpReply, `"CN=VPN Users,OU=Groups,DC=corp,DC=example"`, "vpn", 1)
	if _, _, err := config.Parse([]byte(short), "shim.yaml", folder(t)); err == nil || !strings.Contains(err.Error(), "not a distinguished name") {
		t.Errorf("a short name: %v", err)
	}
}

func TestWithoutReplyRulesEverythingPasses(t *testing.T) {
	c, _, err := config.Parse([]byte(good), "shim.yaml", folder(t))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.RADIUS.Clients[0].Reply.Rules; !r.PassAll || r.Static != nil || len(r.Groups) != 0 || c.RADIUS.Clients[0].Reply.Static != nil {
		t.Errorf("rules %+v", r)
	}
}
