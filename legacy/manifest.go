package legacy

import (
	"fmt"
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
	Format  string
	Version int
	Source  string
	Created time.Time
	SHA256  map[string]string // of files by name

	sums map[string]string // by name in lower case
}

const manifestAdvice = "export again, or remove " + manifestFile + " if you know where the tables come from"

// readManifest reads the manifest if there is one.
func (l *loader) readManifest() error {
	for _, i := range l.folder.of(aboutManifest) {
		n, d, err := l.readTree(i, MaxManifest, manifestAdvice)
		if err != nil {
			return err
		}
		l.summary.Files = append(l.summary.Files, d)
		if err := l.manifest.bind(n, &binder{problems: l.problems, file: l.folder.parts[i].name, unknown: map[string]bool{}}); err != nil {
			return err
		}
		if err := l.manifest.checkFiles(l.folder); err != nil {
			return err
		}
	}
	l.summary.Source, l.summary.Created = l.manifest.Source, l.manifest.Created
	return nil
}

// bind takes the manifest from its tree. Nothing in it may be wrong: its sums
// are what the rest is checked against.
func (m *manifest) bind(n *node, b *binder) error {
	before := b.problems.counts[SettingInvalid]
	var created string
	m.SHA256, m.sums = map[string]string{}, map[string]string{}
	b.object(&place{}, n, fields{
		"format":  b.text(&m.Format),
		"version": b.number(&m.Version, 0, maxCount),
		"source":  b.text(&m.Source),
		"created": b.text(&created),
		"sha256": func(p *place, n *node) {
			if n.kind != nodeObject {
				b.invalid(p, n, "must be an object, not "+n.kind.String())
				return
			}
			for _, e := range n.members {
				var sum string
				b.text(&sum)(&place{up: p, key: shortName(e.key)}, e.value)
				m.SHA256[e.key], m.sums[strings.ToLower(e.key)] = sum, sum
			}
		},
	})
	var err error
	if created != "" {
		m.Created, err = time.Parse(time.RFC3339, created)
	}
	switch {
	case b.err != nil:
		return b.err
	case b.problems.counts[SettingInvalid] > before:
		return hint.New(manifestFile+" is not what a manifest must be: a value is of the wrong kind", manifestAdvice)
	case err != nil:
		return hint.New(manifestFile+" is not what a manifest must be: created is no date as 2006-01-02T15:04:05Z", manifestAdvice)
	case m.Format != formatName || m.Version != formatVersion:
		return hint.New(fmt.Sprintf("%s says format %q, version %d; this version reads %q, version %d",
			manifestFile, m.Format, m.Version, formatName, formatVersion), "export again with a version that fits")
	}
	return nil
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
	if sum, ok := m.sums[strings.ToLower(d.Name)]; ok {
		if !strings.EqualFold(sum, d.SHA256) {
			return hint.New(fmt.Sprintf("%s is not the file that %s names: its SHA-256 is another one", d.Name, manifestFile),
				"it was changed after the export; "+manifestAdvice)
		}
	}
	return nil
}
