package config

import (
	"fmt"
	"io"
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
	case n > 1:
		key = fmt.Sprintf("%d keys, the first seals", n)
	}
	fmt.Fprintf(w, "engine        %s\nlisten        %s\ncluster keys  %s\n\n",
		c.Engine.Place(), strings.Join(c.RADIUS.Listen, ", "), key)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLIENT\tNETWORKS\tFIRST FACTOR\tSECOND FACTOR\tENGINE AWAY")
	for _, client := range c.RADIUS.Clients {
		first, second := "password, checked by the engine", "code, asked for in a challenge"
		switch client.Primary {
		case Native:
		case None:
			first = "checked by the client"
		default:
			first = "password, checked by " + client.Primary
		}
		if client.CodeEntry == Only {
			second = "code in the password field"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", client.Name, strings.Join(client.Networks, ", "), first, second, client.OnOutage)
	}
	return t.Flush()
}
