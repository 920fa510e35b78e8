package phone

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"

	"github.com/nyaruka/phonenumbers"
)

// metadataModule holds the metadata that numbers are judged by.
const metadataModule = "github.com/nyaruka/phonenumbers"

// MetadataVersion names the metadata that numbers are judged by: the version
// of the module that holds them ("v1.8.1"), or a digest of them in a program
// that does not know its modules ("sha256:" and 16 hex digits).
func MetadataVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == metadataModule && module.Replace == nil && module.Version != "" {
				return module.Version
			}
		}
	}
	return metadataDigest()
}

// metadataDigest covers everything that a verdict depends on.
func metadataDigest() string {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		return "unknown"
	}
	sum := sha256.New()
	for _, m := range collection.GetMetadata() {
		fmt.Fprintf(sum, "%s %d %q %q %q\n", m.GetId(), m.GetCountryCode(), m.GetLeadingDigits(),
			m.GetNationalPrefixForParsing(), m.GetNationalPrefixTransformRule())
		for _, desc := range append(types(m), m.GetGeneralDesc()) {
			fmt.Fprintf(sum, "%q %v %v\n", desc.GetNationalNumberPattern(),
				desc.GetPossibleLength(), desc.GetPossibleLengthLocalOnly())
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)[:8])
}
