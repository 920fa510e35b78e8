package channel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// newClient makes requests to one provider: no proxy from the environment, which
// would look names up by itself, no redirect, and only addresses that may be
// called, after the name was looked up. timeout is for connecting; a request ends
// with its context.
func newClient(ca string, private bool, timeout time.Duration, atOnce int) (*http.Client, error) {
	roots, err := authorities(ca)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: timeout, Control: mayDial(private)}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders, MaxConnsPerHost: atOnce, MaxIdleConnsPerHost: atOnce,
			IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// why says what went wrong without the address, which an error of the library
// holds.
func why(ctx context.Context, err error) error {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, misnamed := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, lookup := errors.AsType[*net.DNSError](err)
	op, dial := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errPrivate):
		return errPrivate
	case errors.Is(err, errOpen):
		return errOpen
	case unknown || misnamed || invalid:
		return carrier.Mark(carrier.ErrUnwell, "the certificate of the provider cannot be trusted")
	case lookup:
		return carrier.Mark(carrier.ErrUnwell, "the name of the provider's host cannot be looked up")
	case dial && op.Op == "dial":
		return carrier.Mark(carrier.ErrUnwell, "the provider cannot be reached")
	case ctx.Err() != nil || os.IsTimeout(err):
		return carrier.Mark(carrier.ErrUnknown, "the provider did not answer in time")
	}
	return carrier.Mark(carrier.ErrUnknown, "the connection to the provider broke before it had answered")
}

// refusedBy is the error of an answer that is no success.
func refusedBy(code int) error {
	switch {
	case code >= 300 && code < 400:
		return carrier.Mark(carrier.ErrUnwell, fmt.Sprintf("the provider answered %d: redirects are not followed", code))
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusUnauthorized, code == http.StatusForbidden:
		return carrier.Mark(carrier.ErrUnwell, fmt.Sprintf("the provider answered %d", code))
	}
	return fmt.Errorf("the provider answered %d", code)
}
