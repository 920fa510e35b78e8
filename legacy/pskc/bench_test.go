package pskc_test

import (
	"slices"
	"strings"
	"testing"

	"mfabridge/legacy/pskc"
)

// BenchmarkRead reads a file of ten thousand keys; ns/key is what counts.
func BenchmarkRead(b *testing.B) {
	const keys = 10_000
	many := slices.Repeat(samples()[:1], keys)
	for name, c := range protections(b) {
		if name != "plain" && name != "key256" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			document := write(b, many, c.p)
			b.SetBytes(int64(len(document)))
			for b.Loop() {
				n := 0
				for _, err := range pskc.Read(strings.NewReader(document), c.o) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != keys {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
		})
	}
}
