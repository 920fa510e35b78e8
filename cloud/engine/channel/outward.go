package channel

import (
	"net/http"
	"time"
)

// outwardAtOnce is how many connections one host of strangers gets.
const outwardAtOnce = 32

// Outward is a client for addresses that strangers have named: it calls no
// private address unless it may, follows no redirect, takes no proxy from the
// environment, and waits for nothing longer than the timeout. ca is a PEM file in
// place of the system's authorities; empty: those.
func Outward(timeout time.Duration, private bool, ca string) (*http.Client, error) {
	client, err := newClient(ca, private, timeout, outwardAtOnce)
	if err != nil {
		return nil, err
	}
	client.Timeout = timeout
	return client, nil
}
