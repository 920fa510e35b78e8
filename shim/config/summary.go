package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Summary writes for people what the configuration amounts to. It holds no
// secret.
func (c *Config) Summary(w io.Writer) error {
	key := "1 key"
	switch n := len(c.Keys); {
	case n == 0:
		key = "made at the first start: " + c.ownKey()
	case len(c.ClusterKeys) == 0:
		key = "made for this node alone: " + c.ownKey()
	case n > 1:
		key = fmt.Sprintf("%d keys, the first seals", n)
	}
	fmt.Fprintf(w, "engine        %s\n", c.Engine.Place())
	if len(c.RADIUS.Listen) > 0 {
		fmt.Fprintf(w, "listen        %s\n", strings.Join(c.RADIUS.Listen, ", "))
	}
	if len(c.RADIUS.Accounting) > 0 {
		fmt.Fprintf(w, "accounting    %s\n", strings.Join(c.RADIUS.Accounting, ", "))
	}
	if r := c.RADIUS.RadSec; r != nil {
		fmt.Fprintf(w, "radsec        %s\n", strings.Join(r.Listen, ", "))
	}
	if c.Ops != "" {
		fmt.Fprintf(w, "ops           http://%s\n", c.Ops)
	}
	fmt.Fprintf(w, "cluster keys  %s\n\n", key)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLIENT\tNETWORKS\tFIRST FACTOR\tSECOND FACTOR\tENGINE AWAY")
	for _, client := range c.RADIUS.Clients {
		first := "password, checked by " + client.Primary
		switch client.Primary {
		case Native:
			first = "password, checked by the engine"
		case None:
			first = "checked by the client"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", client.Name, strings.Join(slices.Concat(client.Networks, client.Certificates), ", "), first, client.factor(), client.OnOutage)
	}
	return t.Flush()
}

// factor is how the second factor is asked for, and when it is not.
func (c *Client) factor() string {
	var b strings.Builder
	switch c.CodeEntry {
	case Only:
		return "code in the password field"
	case Append:
		b.WriteString("code behind the password, or asked for")
	default:
		b.WriteString("code, asked for in a challenge")
	}
	if c.WithoutPassword {
		return fmt.Sprintf("push or call for %s", c.Hold)
	}
	push := "push"
	if c.PushNumber {
		push = "push with a number"
	}
	fmt.Fprintf(&b, "; %s for %s", push, c.Hold)
	if c.FallbackOATH {
		b.WriteString(", then a code")
	}
	if c.Cache.Life > 0 {
		fmt.Fprintf(&b, "; spared for %s", c.Cache.Life)
	}
	if c.Unmatched == PrimaryOnly {
		b.WriteString("; none for whom the engine does not know")
	}
	return b.String()
}
