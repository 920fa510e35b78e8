package engine

import (
	"crypto/sha256"
	"encoding/hex"

	"mfabridge/internal/casefold"
)

// Fold returns the form in which names are compared, as [casefold.String] does.
// Names that fold alike cannot both exist in a store.
func Fold(name string) string { return casefold.String(name) }

// digest is a short stand-in for a text of any length or confidence.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
