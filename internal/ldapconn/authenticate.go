package ldapconn

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"mfabridge/internal/secret"
)

// Authenticate binds as dn and returns nil if the password is right and may be
// used now. dn is an entry's distinguished name, as a search returned it. The
// connection that it uses is never searched with.
//
// A server that cannot be reached is Unavailable; every other error is a no.
//
// A password is sent once. Each connection is asked for a sign of life before,
// so that one whose other side is gone costs no try; where a server takes the
// password and says nothing it may have counted it as wrong, and no other one
// is asked. The next call begins with another server.
func (c *Client) Authenticate(ctx context.Context, dn string, password secret.Bytes) error {
	switch {
	case dn == "":
		return &Error{Kind: WrongPassword, Message: "a bind without a name is nobody's"}
	case password.IsZero():
		return &Error{Kind: WrongPassword, Message: "an empty password is not asked for"}
	case bytes.IndexByte(password.Reveal(), 0) >= 0:
		return &Error{Kind: WrongPassword, Message: "a password with a NUL is not asked for: a server might stop reading there"}
	}
	always := func() error { return nil } // whoever limits the binds of people knows whose they are
	err := c.use(ctx, &c.binder, always, func(*link) error { return nil }, func(l *link) error {
		if err := l.lives(); err != nil {
			return err
		}
		result, err := l.SimpleBind(&ldap.SimpleBindRequest{Username: dn, Password: string(password.Reveal()),
			Controls: []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}})
		if _, answered := resultCode(err); err != nil && !answered {
			l.close()
			return &unanswered{server: l.server, err: classify(l.server, err)}
		}
		return bindResult(l.server, result, err)
	})
	if lost, ok := errors.AsType[*unanswered](err); ok {
		c.avoid(lost.server)
		return lost.err
	}
	return err
}

// unanswered is the failure of a connection that a password was sent on.
type unanswered struct {
	server server
	err    error
}

func (u *unanswered) Error() string { return u.err.Error() }

// lives asks a connection for a sign of life. Whatever the server answers is
// one; what is asked, any server shows to anybody (RFC 4512 section 5.1).
func (l *link) lives() error {
	_, err := l.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
	if _, answered := resultCode(err); err != nil && !answered {
		return classify(l.server, err)
	}
	return nil
}

// bindResult judges the answer to a user's bind. Only success without a
// password policy that objects is a yes.
func bindResult(s server, result *ldap.SimpleBindResult, err error) error {
	policy, said := policyKind(result)
	if err == nil {
		if said {
			return &Error{Kind: policy, Server: s.address, Message: "the directory's password policy objects"}
		}
		return nil
	}
	failed := classify(s, err)
	code, answered := resultCode(err)
	switch {
	case !answered:
		return failed
	case said:
		failed.Kind = policy
	case code == ldap.LDAPResultInvalidCredentials:
		failed.Kind = subKind(err)
	case code == ldap.LDAPResultNoSuchObject, code == ldap.LDAPResultInvalidDNSyntax, code == ldap.LDAPResultInappropriateAuthentication:
		failed.Kind = WrongPassword
	case code == ldap.LDAPResultConstraintViolation: // 389 Directory Server after too many tries
		failed.Kind = Locked
	case code == ldap.LDAPResultUnwillingToPerform:
		failed.Kind = unwilling(err)
	}
	failed.Message = "the bind is refused"
	return failed
}

// subKinds are Active Directory's reasons behind invalidCredentials: Windows
// error codes in hexadecimal ([MS-ERREF] 2.2).
var subKinds = map[string]Kind{
	"525": WrongPassword, // ERROR_NO_SUCH_USER
	"52e": WrongPassword, // ERROR_LOGON_FAILURE
	"52f": Disabled,      // ERROR_ACCOUNT_RESTRICTION
	"530": NotNow,        // ERROR_INVALID_LOGON_HOURS
	"531": NotNow,        // ERROR_INVALID_WORKSTATION
	"532": PasswordExpired,
	"533": Disabled,
	"701": AccountExpired,
	"773": MustChange,
	"775": Locked,
}

var subCode = regexp.MustCompile(`AcceptSecurityContext error, data ([0-9a-f]{1,8}),`)

// subKind reads the reason out of a diagnostic message such as
// "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 775, v3839".
func subKind(err error) Kind {
	var e *ldap.Error
	if !errors.As(err, &e) || e.Err == nil {
		return WrongPassword
	}
	if m := subCode.FindStringSubmatch(e.Err.Error()); m != nil {
		if kind, ok := subKinds[m[1]]; ok {
			return kind
		}
	}
	return WrongPassword
}

// unwilling reads out of a diagnostic message why a server will not have a person
// bind: what 389 Directory Server and FreeIPA say of an account. Else it is the
// server that will not, and nobody's password was judged.
func unwilling(err error) Kind {
	e, ok := errors.AsType[*ldap.Error](err)
	if !ok || e.Err == nil {
		return Denied
	}
	text := strings.ToLower(e.Err.Error())
	for _, said := range []struct {
		words string
		kind  Kind
	}{{"account inactivated", Disabled}, {"entry permanently locked", Locked}, {"too many failed logins", Locked}, {"(kerberos principal) is expired", AccountExpired}} {
		if strings.Contains(text, said.words) {
			return said.kind
		}
	}
	return Denied
}

// policyKind is what a password policy says beside the result
// (draft-behera-ldap-password-policy-11, 6.2).
func policyKind(result *ldap.SimpleBindResult) (Kind, bool) {
	if result == nil {
		return 0, false
	}
	policy, ok := ldap.FindControl(result.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy)
	if !ok || policy.Error < 0 {
		return 0, false
	}
	switch policy.Error {
	case 0:
		return PasswordExpired, true
	case 1:
		return Locked, true
	case 2:
		return MustChange, true
	default: // about changing a password, which nobody asked for
		return Failed, true
	}
}
