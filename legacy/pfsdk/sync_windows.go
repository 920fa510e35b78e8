package pfsdk

// syncFolder does nothing: Windows cannot sync a folder.
func syncFolder(string) error { return nil }
