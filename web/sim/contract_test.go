//go:build contract

package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
	"carebell/web/sim"
)

// signed is one body with its signature, as check.mjs reads and writes them.
type signed struct {
	Key       string `json:"key"`
	Body      []byte `json:"body"` // base64 in JSON
	Signature string `json:"signature"`
}

// TestContract holds the simulation and the signature against the sender's own schema and SDK. It needs node, npm and,
// the first time, a package registry.
func TestContract(t *testing.T) {
	dir := t.TempDir()
	signatures := writePayloads(t, dir)

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	run := func(name string, args ...string) {
		c := exec.CommandContext(ctx, name, args...)
		c.Dir = filepath.Join("..", "..", ".ci", "contract")
		out, err := c.CombinedOutput()
		t.Logf("%s %s\n%s", name, args[0], out)
		if err != nil {
			t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
		}
	}
	run("npm", "ci", "--no-audit", "--no-fund")
	run("node", "check.mjs", dir)

	var theirs []signed
	readJSON(t, filepath.Join(dir, "node-signatures.json"), &theirs)
	if len(theirs) != signatures {
		t.Errorf("node made %d signatures of %d", len(theirs), signatures)
	}
	for i, s := range theirs {
		if !metriport.Verify(s.Key, s.Body, s.Signature) {
			t.Errorf("signature %d by node is refused", i)
		}
	}

	examples, err := filepath.Glob(filepath.Join(dir, "examples", "*.json"))
	if err != nil || len(examples) == 0 {
		t.Errorf("%d examples, %v", len(examples), err)
	}
	for _, name := range examples {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		e := metriport.ReadEnvelope(body)
		if e.Malformed != "" {
			t.Errorf("the sender's example is malformed: %s\n%s", e.Malformed, body)
		}
		if _, err := metriport.ReadEvent(metriport.Type(e.Type), body); err != nil {
			t.Errorf("the sender's example: %v\n%s", err, body)
		}
	}
}

// writePayloads fills dir as check.mjs expects it and returns how many signatures it wrote.
func writePayloads(t *testing.T, dir string) int {
	t.Helper()
	for _, sub := range []string{"payloads", "test-events"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var signatures []signed
	n := 0
	write := func(sub string, m sim.Message) {
		n++
		file := filepath.Join(dir, sub, fmt.Sprintf("%05d-%s.json", n, m.Type))
		if err := os.WriteFile(file, m.Body, 0o600); err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signed{"wh_clé 🔑", m.Body, metriport.Sign("wh_clé 🔑", m.Body)})
	}
	for seed := range uint64(6) {
		w := newWorld(seed)
		for _, kind := range metriport.Types {
			m, err := w.Sample(kind)
			if err != nil {
				t.Fatal(err)
			}
			write("payloads", m)
			write("payloads", w.Repeat(m))
		}
		for _, m := range w.TestEvents() {
			write("test-events", m)
		}
	}
	w := newWorld(42)
	for _, m := range w.Backlog(7) {
		write("payloads", m)
	}
	for range 500 {
		w.pass(3 * time.Second)
		write("payloads", w.Next())
	}
	for _, body := range []string{
		`{"meta":{"messageId":"é ü ñ 漢字 🏥👩‍⚕️","type":"ping"},"ping":"ź"}`, "{}", " ", "not json \u2028\u2029 \\ \x00", "\ufeff{}",
	} {
		for _, key := range []string{"k", "a longer key with spaces", "ключ"} {
			signatures = append(signatures, signed{key, []byte(body), metriport.Sign(key, []byte(body))})
		}
	}
	raw, err := json.Marshal(signatures)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "signatures.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return len(signatures)
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}
