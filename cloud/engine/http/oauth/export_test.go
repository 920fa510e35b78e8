package oauth

import "time"

// Seams for tests outside the package.
const Lead = lead

// Rotation turns the times from which keys sign into those after a rotation.
func Rotation(from []time.Time, now time.Time, period time.Duration) (after []time.Time, changed bool) {
	var keys []key
	for _, t := range from {
		keys = append(keys, key{From: t})
	}
	keys, changed, _ = rotated(keys, now, period, func(t time.Time) (key, error) { return key{From: t}, nil })
	for _, k := range keys {
		after = append(after, k.From)
	}
	return after, changed
}
