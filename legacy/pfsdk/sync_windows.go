package pfsdk

import "os"

// lockFile does nothing: a second pull is found out when its lines are read
// back.
func lockFile(*os.File) error { return nil }
