package pfsdk

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// Understand is the reading of a live answer, for the fuzz test: how many
// records come of it.
func Understand(o Operation, body io.Reader) (records int, err error) {
	answer, err := understand(o, body, MaxAnswer)
	return len(answer.records), err
}

// ProxyFor is the proxy that a client would use for an address.
func ProxyFor(c Config, address string) (*url.URL, error) {
	request, err := http.NewRequest(http.MethodPost, address, nil)
	if err != nil {
		return nil, err
	}
	t := c.httpClient(1).Transport.(*http.Transport)
	if t.Proxy == nil {
		return nil, nil
	}
	return t.Proxy(request)
}

// ReadProgress opens the progress that content is and reads back all users of
// it, and says how many there are.
func ReadProgress(out, address string, content []byte) (users int, err error) {
	if err := os.MkdirAll(out+partialSuffix, 0o700); err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(out+partialSuffix, progressFile), content, 0o600); err != nil {
		return 0, err
	}
	p, err := openProgress(out, address, nil)
	if err != nil {
		return 0, err
	}
	for _, name := range p.header.Usernames {
		_, ok, err := p.user(name)
		if err != nil {
			return 0, errors.Join(err, p.Close())
		}
		if ok {
			users++
		}
	}
	return users, p.Close()
}
