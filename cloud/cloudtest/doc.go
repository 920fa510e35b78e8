// Package cloudtest is the conformance suite of the contracts in package
// cloud: [Directory] and [Verifier] check, promise by promise, what the
// comments of cloud.Directory and cloud.Verifier say; [Existing] does so for a
// Directory that makes no users; [Limited] checks that a target keeps to its own
// capabilities. Every implementation's tests run it; nothing else imports it.
//
// An implementation that can be closed and opened again hands Reopen over, and
// its durability is checked too. Codes of generators are computed here, apart
// from the code under test.
package cloudtest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Code is the code of a generator at a time (RFC 6238).
func Code(key []byte, o *cloud.OATH, at time.Time) secret.Bytes {
	hashes := map[cloud.Algorithm]func() hash.Hash{cloud.SHA1: sha1.New, cloud.SHA256: sha256.New, cloud.SHA512: sha512.New}
	mac := hmac.New(hashes[o.Algorithm], key)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix()/int64(o.Period)))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	word := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff
	modulus := uint32(1)
	for range o.Digits {
		modulus *= 10
	}
	return secret.FromString(fmt.Sprintf("%0*d", o.Digits, word%modulus))
}

// Seed is the synthetic secret of a user number; no two are alike.
func Seed(n int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "synthetic seed %d", n))
	return sum[:20]
}

// Generator is a software generator with Seed(n), ready to be added.
func Generator(n int) *cloud.OATH {
	return &cloud.OATH{Name: fmt.Sprintf("token %d", n), Serial: fmt.Sprintf("SYN-%05d", n), Algorithm: cloud.SHA1,
		Digits: 6, Period: 30, Secret: secret.New(Seed(n))}
}

// person is a synthetic profile.
func person(n int) *cloud.Profile {
	return &cloud.Profile{UPN: fmt.Sprintf("user%d@contoso.example", n), DisplayName: fmt.Sprintf("User %d", n), Enabled: true}
}

// write makes changes that must all have one outcome, and returns the results.
func write(t *testing.T, d cloud.Directory, want cloud.Outcome, changes ...cloud.Change) []cloud.Result {
	t.Helper()
	results := d.Write(t.Context(), changes)
	if len(results) != len(changes) {
		t.Fatalf("Write answered %d changes with %d results", len(changes), len(results))
	}
	for i, r := range results {
		if r.Outcome != want {
			t.Fatalf("%s %s: %s (%v), want %s", changes[i].Op, changes[i].Method, r.Outcome, r.Err, want)
		}
		bad := r.Outcome == cloud.Outdated || r.Outcome == cloud.Failed
		if bad != (r.Err != nil) {
			t.Fatalf("%s %s: outcome %s with error %v", changes[i].Op, changes[i].Method, r.Outcome, r.Err)
		}
	}
	return results
}

// refusedAs checks the outcome and kind of one result.
func refusedAs(t *testing.T, r cloud.Result, want cloud.Outcome, kind cloud.Kind) {
	t.Helper()
	if r.Outcome != want || r.Err == nil || cloud.KindOf(r.Err) != kind {
		t.Fatalf("got %s, %v; want %s of kind %s", r.Outcome, r.Err, want, kind)
	}
}

// read returns one user.
func read(t *testing.T, d cloud.DirectoryReader, id cloud.UserID) cloud.User {
	t.Helper()
	users, err := d.Read(t.Context(), []cloud.UserID{id})
	if err != nil || len(users) != 1 {
		t.Fatalf("Read: %d users, %v", len(users), err)
	}
	return users[0]
}

// addUser makes person n.
func addUser(t *testing.T, d cloud.Directory, n int) cloud.UserID {
	t.Helper()
	p := person(n)
	return cloud.UserID(write(t, d, cloud.Done, cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account,
		After: cloud.Value{Profile: p}})[0].ID)
}

// Changes to a user, for short.
func addText(id cloud.UserID, m cloud.Method, s string) cloud.Change {
	return cloud.Change{User: id, Op: cloud.Add, Method: m, After: cloud.TextValue(s)}
}

func removeText(id cloud.UserID, m cloud.Method, s string) cloud.Change {
	return cloud.Change{User: id, Op: cloud.Remove, Method: m, Before: cloud.TextValue(s)}
}

func addOATH(id cloud.UserID, o *cloud.OATH) cloud.Change {
	return cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: o}}
}
