// Package ldapconn talks to a customer's directory by LDAP (RFC 4511): Active
// Directory, OpenLDAP and their like. It knows nothing of users or plans.
//
//	client, err := ldapconn.New(ldapconn.Config{Servers: []string{"ldaps://dc1.corp.example"}, …})
//	entries, err := client.Search(ctx, ldapconn.Query{Base: "dc=corp,dc=example", Filter: ldapconn.Equal("mail", address)})
//	err = client.Authenticate(ctx, entries[0].DN, password)
//
// What it promises:
//
//   - Nothing goes in clear: ldaps:// or ldap:// with StartTLS, TLS 1.2 or later,
//     the server's name verified. Config.Plain leaves TLS out on loopback only.
//   - An empty password is never sent: servers take a bind without one as
//     anonymous, and answer that it succeeded (RFC 4513, 5.1.2).
//   - An answer is whole or an error: a size limit, a referral in place of an
//     answer, a connection that breaks between two pages never yield part of it.
//     References to other servers within an answer are not followed.
//   - Servers are tried in their order; what one of them refuses is not asked
//     again elsewhere, so that a wrong password counts once towards a lockout.
//
// All failures are *[Error]. A [Client] may be used concurrently. Clients that
// run for long share [Accounts], so that a wrong password of who searches does
// not lock that account.
package ldapconn
