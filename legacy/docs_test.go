package legacy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mfabridge/legacy"
)

// docs/formats lists every column and key that is read, and the limits as they
// are.
func TestDocsListEverything(t *testing.T) {
	page := func(name string) string {
		b, err := os.ReadFile("../docs/formats/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, columns := range legacy.Columns() {
		text := page(name)
		for _, c := range columns {
			if !strings.Contains(text, c) {
				t.Errorf("%s.md does not name %s", name, c)
			}
		}
	}
	grouped := func(n int) string {
		s := fmt.Sprint(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	}
	for name, limits := range map[string][]string{
		"users": {grouped(legacy.MaxRow) + " bytes", fmt.Sprint(legacy.MaxColumns), grouped(legacy.MaxParts), fmt.Sprint(legacy.MaxAttached), fmt.Sprint(legacy.MaxName) + " bytes",
			fmt.Sprintf("%d MiB, %s, %d GiB", legacy.MaxZipDirectory>>20, grouped(legacy.MaxZipEntries), legacy.MaxZipUnpacked>>30), fmt.Sprint(legacy.MaxZipRatio), fmt.Sprintf("%d GiB", legacy.MaxFile>>30)},
		"activity": {fmt.Sprintf("at most %d applications;", legacy.MaxUserApplications), fmt.Sprintf("at most %d applications with", legacy.MaxApplications)},
		"settings": {fmt.Sprintf("%d MiB", legacy.MaxSettings>>20), grouped(legacy.MaxSettingList) + " items", fmt.Sprintf("%d bytes", legacy.MaxSettingText)},
		"manifest": {fmt.Sprintf("%d MiB", legacy.MaxManifest>>20)},
		"tokens":   {fmt.Sprintf("%d characters", legacy.MaxSecretText)},
	} {
		text := page(name)
		for _, limit := range limits {
			if !strings.Contains(text, limit) {
				t.Errorf("%s.md does not say %s", name, limit)
			}
		}
	}
}
