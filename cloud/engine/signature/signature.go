// Package signature is what an authenticator signs, and how: the agreement
// between the device that makes a signature and the engine that checks it. It
// asks nobody whether the device may: whose key it is, and whether that one still
// counts, is for the engine.
//
// # Texts
//
// Each text begins with a line that says what it is for, so that no signature
// holds for anything else, and has a line for each value. [Activation], [Answer],
// [Request] and [PIN] make them; times are in whole seconds since the epoch.
//
// # Keys
//
// ECDSA over P-256 with SHA-256, in the forms of WebCrypto: a key is a point in
// the uncompressed form of SEC 1 §2.3.3, and a signature its two numbers one
// after the other. What holds a private key may be a browser, whose code stands
// in package app, or [Make].
package signature

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

	"mfabridge/cloud"
)

// Sizes in bytes.
const (
	KeySize = 65
	Size    = 64
)

// Window is how far the clock of a device may be from the engine's, to either
// side.
const Window = 2 * time.Minute

// Make signs a text.
func Make(key *ecdsa.PrivateKey, text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("nothing could be signed: %w", err)
	}
	b := make([]byte, Size)
	r.FillBytes(b[:Size/2])
	s.FillBytes(b[Size/2:])
	return b, nil
}

// CheckKey takes a point that is on the curve. Invalid: it is none.
func CheckKey(key []byte) error {
	_, err := parse(key)
	return err
}

// Holds tells whether a signature is one of text by that key.
func Holds(key, text, signature []byte) bool {
	public, err := parse(key)
	if err != nil || len(signature) != Size {
		return false
	}
	sum := sha256.Sum256(text)
	return ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:Size/2]), new(big.Int).SetBytes(signature[Size/2:]))
}

func parse(key []byte) (*ecdsa.PublicKey, error) {
	if len(key) == KeySize {
		if public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key); err == nil {
			return public, nil
		}
	}
	return nil, &cloud.Error{Kind: cloud.Invalid, Message: "the key of an authenticator must be a point of P-256 in 65 bytes"}
}
