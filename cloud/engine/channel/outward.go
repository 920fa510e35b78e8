package channel

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Outward is a client for addresses that strangers have named: it calls no
// private address unless it may, follows no redirect, takes no proxy from the
// environment, and waits for nothing longer than the timeout. ca is a PEM file in
// place of the system's authorities; empty: those.
func Outward(timeout time.Duration, private bool, ca string) (*http.Client, error) {
	roots, err := authorities(ca)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: timeout, Control: mayDial(private)}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders, MaxConnsPerHost: 32, MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
