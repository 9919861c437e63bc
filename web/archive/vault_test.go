package archive

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func stored(t *testing.T, v *Vault, content []byte) string {
	t.Helper()
	w, err := v.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Keep(); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(content); !bytes.Equal(w.Sum(), sum[:]) || w.Size() != int64(len(content)) {
		t.Errorf("wrong hash or size of %d bytes", len(content))
	}
	return w.Name
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

func TestVaultGivesBackWhatItTook(t *testing.T) {
	dir := t.TempDir()
	v, err := OpenVault(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, chunkSize - 100, chunkSize, chunkSize + 1, 3*chunkSize + 7} {
		content := noise(n)
		name := stored(t, v, content)
		raw, err := os.ReadFile(filepath.Join(dir, "files", name))
		if err != nil {
			t.Fatal(err)
		}
		if n > 32 && bytes.Contains(raw, content[:32]) {
			t.Errorf("%d bytes lie on the disk in clear", n)
		}
		r, err := v.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back as %d: %v", n, len(got), err)
		}
	}
}

// TestDamagedFileGivesNoWrongByte flips, cuts, extends and renames files: what is read before the error is right.
func TestDamagedFileGivesNoWrongByte(t *testing.T) {
	dir := t.TempDir()
	v, _ := OpenVault(dir, "")
	content := noise(3*chunkSize + 999)
	name := stored(t, v, content)
	path := filepath.Join(dir, "files", name)
	whole, _ := os.ReadFile(path)
	for what, damaged := range map[string][]byte{
		"a bit in the first chunk": flipped(whole, 100), "a bit in the last chunk": flipped(whole, len(whole)-20), "a bit in the header": flipped(whole, 3),
		"cut in a chunk": whole[:len(whole)-5], "cut at a chunk": whole[:2*chunkSize], "longer": append(bytes.Clone(whole), 0), "empty": {},
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := v.Open(name)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r)
			_ = r.Close()
		}
		if err == nil {
			t.Errorf("%s: no error", what)
		}
		if !bytes.HasPrefix(content, got) {
			t.Errorf("%s: wrong bytes were given out", what)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	other := stored(t, v, []byte("other"))
	if err := os.Rename(path, filepath.Join(dir, "files", other)); err != nil {
		t.Fatal(err)
	}
	if r, err := v.Open(other); err == nil {
		if b, err := io.ReadAll(r); err == nil {
			t.Errorf("a file under another's name gave %d bytes", len(b))
		}
		_ = r.Close()
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

func TestVaultKeys(t *testing.T) {
	dir := t.TempDir()
	v, err := OpenVault(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	stored(t, v, []byte("x"))
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v, %v", info.Mode(), err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, keyFile))
	if _, err := OpenVault(dir, strings.TrimSpace(string(text))); err != nil {
		t.Errorf("the same key given as a setting: %v", err)
	}
	for what, key := range map[string]string{"another key": strings.Repeat("ab", keySize), "no key": "short"} {
		if _, err := OpenVault(dir, key); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one sentence", what, err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenVault(dir, ""); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key file that others can read: %v", err)
	}
}

// TestHalfWrittenFilesAreSweptAway: what a crash left is gone after the next start, and was never there by its name.
func TestHalfWrittenFilesAreSweptAway(t *testing.T) {
	dir := t.TempDir()
	v, _ := OpenVault(dir, "")
	w, err := v.Create()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(noise(200 << 10))
	if _, err := v.Open(w.Name); err == nil {
		t.Error("a file that is not kept can be opened")
	}
	if _, err := OpenVault(dir, ""); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "files", "*"+Unfinished)); len(left) != 0 {
		t.Errorf("left behind: %d files", len(left))
	}
}
