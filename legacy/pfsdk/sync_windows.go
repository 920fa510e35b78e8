package pfsdk

import "os"

// syncFolder does nothing: Windows cannot sync a folder.
func syncFolder(string) error { return nil }

// lockFile does nothing: a second pull is found out when its lines are read
// back.
func lockFile(*os.File) error { return nil }
