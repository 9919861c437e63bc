package fhir_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"carebell/web/fhir"
)

// BenchmarkRead reads a bundle of small resources, and one of a single large attachment; bytes a second of either.
func BenchmarkRead(b *testing.B) {
	observation := `{"resourceType":"Observation","id":"o%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3","display":"Potassium"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-03-04T05:06:07Z","valueQuantity":{"value":4.1,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}]}`
	for name, next := range map[string]func(int) string{
		"observations": chunks(bundleHead, 10_000, func(i int) string { return entryText(fmt.Sprintf(observation, i)) }, `]}`),
		"attachment":   chunks(bundleHead+`,{"resource":{"resourceType":"Binary","data":"`, 100, always(strings.Repeat("QUJD", 16<<10)), `"}}]}`),
	} {
		b.Run(name, func(b *testing.B) {
			var all strings.Builder
			for i := 0; next(i) != ""; i++ {
				all.WriteString(next(i))
			}
			b.SetBytes(int64(all.Len()))
			for b.Loop() {
				if _, err := fhir.Read(io.MultiReader(strings.NewReader(all.String()))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
