// Package confcheck is what checks of configurations have in common, once a file
// was read: they collect all that is wrong with it in place of the first thing,
// load what its keys name, and tell it from the one before.
//
//	k := confcheck.Check{Folder: folder}
//	k.Refuse("write store: sqlite:PATH", "store is missing")
//	k.Word(at, "on_outage", &c.OnOutage, []string{"silent", "reject"})
//	return errors.Join(k.Problems...)
package confcheck

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/regular"
	"mfabridge/internal/secret"
	"mfabridge/internal/strictyaml"
)

// Check collects what is to be said of one configuration. In what follows at is
// the place of a key, as messages show it.
type Check struct {
	Folder   string   // of the file: relative paths count from it
	Problems []error  // each with advice; none: the configuration may be used
	Warnings []string // sentences for the operator
}

// Refuse adds a problem and what to do about it.
func (k *Check) Refuse(advice, format string, args ...any) {
	k.Add(hint.New(fmt.Sprintf(format, args...), advice))
}

// Add adds problems that are told already.
func (k *Check) Add(problems ...error) { k.Problems = append(k.Problems, problems...) }

// Warn adds a warning.
func (k *Check) Warn(format string, args ...any) {
	k.Warnings = append(k.Warnings, fmt.Sprintf(format, args...))
}

// Word checks a key that takes one of a few words, and completes it: the first
// is the default.
func (k *Check) Word(at, key string, value *string, words []string) {
	switch {
	case *value == "":
		*value = words[0]
	case !slices.Contains(words, *value):
		k.Refuse("it may be "+strings.Join(words, " or "), "%s: %s: %q is not a word that is known here", at, key, *value)
	}
}

// Path makes the path of a file absolute; an empty one stays empty.
func (k *Check) Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(k.Folder, path)
}

// Ref makes the path of a reference file:PATH absolute; any other text stays as
// it is.
func (k *Check) Ref(ref string) string { return strictyaml.Resolve(ref, "file", k.Folder) }

// Secret loads what a reference file:PATH or env:NAME names. If it cannot, that
// is a problem, with advice unless the cause has its own, and the secret is zero.
func (k *Check) Secret(ref, at, advice string) secret.Bytes {
	word, err := secret.Load(k.Ref(ref))
	if err != nil {
		k.Add(hint.Default(fmt.Errorf("%s: %w", at, err), advice))
		return secret.Bytes{}
	}
	return word
}

// Spaces warns of a secret that an editor or a copy may have made longer: the
// other side has none of it, and all that either sees is that they differ.
func (k *Check) Spaces(word secret.Bytes, at string) {
	switch b := word.Reveal(); {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		k.Warn("%s is in UTF-16, as PowerShell's > writes files, and every octet of that counts: save its file as UTF-8", at)
	case bytes.HasPrefix(b, []byte("\ufeff")):
		k.Warn("%s begins with a byte order mark, as Notepad may write one, which counts: save its file without", at)
	case len(bytes.TrimSpace(b)) != len(b):
		k.Warn("%s begins or ends with a space or an empty line, which counts", at)
	}
}

// Pair loads a certificate with its key out of PEM files; chain is what tells it
// from another.
func (k *Check) Pair(cert, key, at string) (pair tls.Certificate, chain PEM) {
	pair, err := regular.Pair(k.Path(cert), k.Path(key))
	if err != nil {
		k.Add(hint.Wrap(fmt.Errorf("%s.cert: %w", at, err), "name the PEM files of the certificate with its chain, and of its key"))
	} else if info, err := os.Stat(k.Path(key)); err == nil && info.Mode().Perm()&0o077 != 0 {
		k.Refuse("chmod 600 it", "%s.key: %s may be read by others", at, key)
	}
	for _, der := range pair.Certificate {
		chain = append(chain, der...)
	}
	return pair, chain
}

// Authorities loads the certificates of those who sign others out of a PEM file.
func (k *Check) Authorities(ca, at, advice string) (*x509.CertPool, PEM) {
	pem, err := regular.Read(k.Path(ca))
	var pool *x509.CertPool
	if err == nil {
		pool, err = ldapconn.ReadCA(pem)
	}
	if err != nil {
		k.Add(hint.Default(fmt.Errorf("%s.ca: %w", at, err), advice))
	}
	return pool, pem
}

// Trusted loads those whom a ca names, if it names any, and completes its path.
func (k *Check) Trusted(ca *string, at string) (*x509.CertPool, PEM) {
	if *ca == "" {
		return nil, nil
	}
	*ca = k.Path(*ca)
	return k.Authorities(*ca, at, "name a PEM file with the authority's certificate")
}
