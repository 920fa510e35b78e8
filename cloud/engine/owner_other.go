//go:build !unix

package engine

import "os"

// keepOwner leaves a new file to who makes it.
func keepOwner(*os.File, string) error { return nil }
