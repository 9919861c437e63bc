package fhir_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carebell/web/fhir"
)

func inputs(t testing.TB) []string {
	all, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range all {
		if !strings.HasSuffix(path, ".golden.json") {
			out = append(out, path)
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %d inputs", len(out))
	}
	return out
}

func load(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// facts are those of an input, in their canonical form.
func encoded(t *testing.T, input []byte) []byte {
	t.Helper()
	facts, err := fhir.Read(bytes.NewReader(input))
	if err != nil {
		t.Fatal(err)
	}
	b, err := facts.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFactsOfTheExamplesAreAsWritten(t *testing.T) {
	for _, path := range inputs(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			var got bytes.Buffer
			if err := json.Indent(&got, encoded(t, load(t, path)), "", " "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			golden := strings.TrimSuffix(path, ".json") + ".golden.json"
			if want := load(t, golden); !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

func TestFactsDoNotDependOnTheOrderOfEntries(t *testing.T) {
	for _, path := range inputs(t) {
		input := load(t, path)
		var bundle map[string]any
		if err := json.Unmarshal(input, &bundle); err != nil {
			t.Fatal(err)
		}
		entries, _ := bundle["entry"].([]any)
		if strings.Contains(path, "absolute-two-servers") { // it repeats a resource: the first one counts
			entries = entries[:len(entries)-1]
			bundle["entry"] = entries
			input, _ = json.Marshal(bundle)
		}
		want := encoded(t, numbersOf(t, input))
		r := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			r.Shuffle(len(entries), func(i, k int) { entries[i], entries[k] = entries[k], entries[i] })
			shuffled, err := json.Marshal(bundle)
			if err != nil {
				t.Fatal(err)
			}
			if got := encoded(t, shuffled); !bytes.Equal(got, want) {
				t.Fatalf("%s: got\n%s\nwant\n%s", path, got, want)
			}
		}
	}
	first, last := encoded(t, load(t, "testdata/patient-first.json")), encoded(t, load(t, "testdata/encounter-first.json"))
	if !bytes.Equal(first, last) {
		t.Errorf("Patient first\n%s\nEncounter first\n%s", first, last)
	}
}

// numbersOf writes JSON as Go's encoder does, which says 30 for 30.0.
func numbersOf(t *testing.T, input []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(input, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStoredFactsAreReadBackToTheByte(t *testing.T) {
	for _, path := range inputs(t) {
		want := encoded(t, load(t, path))
		facts, err := fhir.Decode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := facts.Encode()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", path, err, got, want)
		}
		again, err := json.Marshal(facts) // the standard library may be used too
		var back fhir.Facts
		if err != nil || json.Unmarshal(again, &back) != nil {
			t.Errorf("%s: %v", path, err)
		}
		if got, _ := back.Encode(); !bytes.Equal(got, want) {
			t.Errorf("%s: through encoding/json, got\n%s\nwant\n%s", path, got, want)
		}
	}
}
