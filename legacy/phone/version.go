package phone

import "runtime/debug"

// metadataModule holds the metadata that numbers are judged by.
const metadataModule = "github.com/nyaruka/phonenumbers"

// MetadataVersion names the version of the metadata that numbers are judged
// by, such as "v1.8.1" of the module that holds it; "unknown" in a program
// that was built without module information.
func MetadataVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path != metadataModule {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		return module.Version
	}
	return "unknown"
}
