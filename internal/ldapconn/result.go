package ldapconn

import (
	"errors"

	"github.com/go-ldap/ldap/v3"
)

// resultCode is the server's own answer; false: there was none.
func resultCode(err error) (uint16, bool) {
	var e *ldap.Error
	if !errors.As(err, &e) || e.ResultCode >= ldap.ErrorNetwork {
		return 0, false
	}
	return e.ResultCode, true
}

// classify makes an Error of what the library returns. What is no answer of
// the server is a failure of the connection.
func classify(s server, err error) *Error {
	out := &Error{Kind: Unavailable, Server: s.address, Message: "the connection to the directory failed", Err: err}
	code, ok := resultCode(err)
	if !ok {
		return out
	}
	switch code {
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		out.Message = "the directory is not available"
	case ldap.LDAPResultReferral:
		out.Kind, out.Message = Elsewhere, "the directory refers to another server, which is not asked"
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		out.Kind, out.Message = TooMuch, "the directory does not give the whole answer"
	case ldap.LDAPResultNoSuchObject:
		out.Kind, out.Message = Missing, "the base of the search does not exist"
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultOperationsError, ldap.LDAPResultStrongAuthRequired,
		ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform:
		// Active Directory answers a search without a bind by operationsError.
		out.Kind, out.Message = Denied, "the directory refuses"
	default:
		out.Kind, out.Message = Failed, "the directory answers with an error"
	}
	return out
}
