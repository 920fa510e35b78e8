package engine

import "mfabridge/internal/casefold"

// Fold returns the form in which names are compared, as [casefold.String] does.
// Names that fold alike cannot both exist in a store.
func Fold(name string) string { return casefold.String(name) }
