package legacy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"mfabridge/internal/hint"
)

// Limits of manifest.json.
const (
	MaxManifest = 1 << 20 // bytes

	formatName    = "mfabridge-export"
	formatVersion = 1
)

// manifest is manifest.json: where an export comes from and what belongs to it.
type manifest struct {
	Format  string            `json:"format"`
	Version int               `json:"version"`
	Source  string            `json:"source"`
	Created time.Time         `json:"created"`
	SHA256  map[string]string `json:"sha256"`
}

const manifestAdvice = "export again, or remove " + manifestFile + " if you know where the tables come from"

// readManifest reads the manifest if there is one.
func readManifest(ctx context.Context, f *folder) (m manifest, digests []FileDigest, err error) {
	parts := f.of(aboutManifest)
	if len(parts) == 0 {
		return m, nil, nil
	}
	in, err := f.open(ctx, f.parts[parts[0]])
	if err != nil {
		return m, nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, MaxManifest+1))
	switch {
	case err != nil:
		return m, nil, err
	case len(b) > MaxManifest:
		return m, nil, hint.New(fmt.Sprintf("%s has more than %d bytes", manifestFile, MaxManifest), manifestAdvice)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(b, &m); err != nil {
		return m, nil, hint.New(manifestFile+" is not what a manifest must be: "+err.Error(), manifestAdvice)
	}
	if m.Format != formatName || m.Version != formatVersion {
		return m, nil, hint.New(fmt.Sprintf("%s says format %q, version %d; this version reads %q, version %d",
			manifestFile, m.Format, m.Version, formatName, formatVersion), "export again with a version that fits")
	}
	return m, []FileDigest{in.digest()}, m.checkFiles(f)
}

// checkFiles refuses an export of which a part is missing.
func (m manifest) checkFiles(f *folder) error {
	for _, name := range slices.Sorted(maps.Keys(m.SHA256)) {
		if !f.has(name) {
			return hint.New(fmt.Sprintf("%s names %q, which is not there", manifestFile, name), "copy the whole export; "+manifestAdvice)
		}
	}
	return nil
}

// check compares a file that was read with the manifest's sum.
func (m manifest) check(d FileDigest) error {
	for name, sum := range m.SHA256 {
		if strings.EqualFold(name, d.Name) && !strings.EqualFold(sum, d.SHA256) {
			return hint.New(fmt.Sprintf("%s is not the file that %s names: its SHA-256 is another one", d.Name, manifestFile),
				"it was changed after the export; "+manifestAdvice)
		}
	}
	return nil
}
