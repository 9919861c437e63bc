package archive

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
	"golang.org/x/sync/errgroup"
)

// Files are encrypted with AES-256-GCM in chunks of this size, each authenticated, so that a large file is read and
// written in little memory and a damaged or cut one is noticed.
const chunkSize = 64 << 10

// Folder is where files are, in the data folder.
const Folder = "files"

// keySize is 256 bits.
const keySize = 32

// Vault is the folder of encrypted files. A file has a random name of its own, and appears under it only when it is
// whole and on the disk.
type Vault struct {
	dir    string
	cipher *subtle.AESGCMHKDF
}

// OpenVault opens the folder "files" in the data folder. key is the data key as text, or "" for the key file
// "data.key", which is made at the first start. Errors are one sentence that says what to do.
func OpenVault(dataDir, key string) (*Vault, error) {
	secret, err := dataKey(dataDir, key)
	if err != nil {
		return nil, err
	}
	cipher, err := subtle.NewAESGCMHKDF(secret, "SHA256", keySize, chunkSize, 0)
	if err != nil {
		return nil, err
	}
	v := &Vault{dir: filepath.Join(dataDir, Folder), cipher: cipher}
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder %s for downloads: %w; make the data folder writable", v.dir, err)
	}
	if err := v.checkKey(); err != nil {
		return nil, err
	}
	return v, v.sweep()
}

const keyFile = "data.key"

func dataKey(dir, text string) ([]byte, error) {
	if text != "" {
		return decodeKey(text, "CAREBELL_DATA_KEY")
	}
	path := filepath.Join(dir, keyFile)
	b, err := os.ReadFile(path) //nolint:gosec // our own folder
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file %s: %w; make it readable for this user alone", path, err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key file %s can be read by other users: chmod 600 it", path)
	}
	return decodeKey(string(b), path)
}

func decodeKey(text, from string) ([]byte, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, hex.DecodeString} {
		if b, err := decode(text); err == nil && len(b) == keySize {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%s is not a data key: it must be 32 bytes as base64 or hex, like the output of openssl rand -base64 32", from)
}

func makeKey(path string) ([]byte, error) {
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret)                                              // never fails: crypto/rand ends the process instead
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return nil, fmt.Errorf("cannot make the key file %s: %w; make the data folder writable", path, err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(secret) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot write the key file %s: %w", path, err), os.Remove(path)) //nolint:gosec // our own folder
	}
	return secret, syncDir(filepath.Dir(path))
}

// checkName is a file that only the right key can read, so that a wrong key stops the start instead of every download.
const checkName = "key-check"

func (v *Vault) checkKey() error {
	r, err := v.Open(checkName)
	if errors.Is(err, os.ErrNotExist) {
		w, err := v.create(checkName)
		if err != nil {
			return err
		}
		defer w.Discard()
		if _, err := io.WriteString(w, checkName); err != nil {
			return err
		}
		return w.Keep()
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if b, err := io.ReadAll(r); err != nil || string(b) != checkName {
		return errors.New("the data key is not the one that the stored downloads were encrypted with: set CAREBELL_DATA_KEY to the right one, or put back the file data.key")
	}
	return nil
}

// Unfinished ends the names of files that are not whole.
const Unfinished = ".part"

// sweep removes what a crash left half-written.
func (v *Vault) sweep() error {
	left, err := filepath.Glob(filepath.Join(v.dir, "*"+Unfinished))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// inMemory is how many bytes of a new file are held in memory until it is kept: most files are small, and many of them are
// brought to the disk together.
const inMemory = 128 << 10

// Writer takes the content of a new file. Nothing is there under its name before Keep.
type Writer struct {
	Name string // random; the file's name in the vault

	vault  *Vault
	held   bytes.Buffer // encrypted; what is not yet in the file
	part   string       // path until it has its name; "" before there is a file and after it has its name
	file   *os.File     // nil while all is in memory, and once sealed
	sealed io.WriteCloser
	ended  bool // nothing more is written
	onDisk bool // sealed
	sum    hash.Hash
	size   int64
}

// Create begins a new file under a random name.
func (v *Vault) Create() (*Writer, error) { return v.create(strings.ToLower(rand.Text())) }

func (v *Vault) create(name string) (_ *Writer, err error) {
	w := &Writer{Name: name, vault: v, sum: sha256.New()}
	if w.sealed, err = v.cipher.NewEncryptingWriter(encrypted{w}, []byte(name)); err != nil {
		return nil, err
	}
	return w, nil
}

// encrypted takes what is encrypted.
type encrypted struct{ w *Writer }

func (e encrypted) Write(p []byte) (int, error) {
	w := e.w
	if w.file == nil && w.held.Len()+len(p) <= inMemory {
		return w.held.Write(p)
	}
	if err := w.spill(); err != nil {
		return 0, err
	}
	return w.file.Write(p)
}

// spill makes the file, with what was held.
func (w *Writer) spill() error {
	if w.file != nil {
		return nil
	}
	f, err := os.OpenFile(w.vault.path(w.Name)+Unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w.file, w.part = f, f.Name()
	_, err = f.Write(w.held.Bytes())
	w.held = bytes.Buffer{}
	return err
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.sealed.Write(p)
	w.sum.Write(p[:n])
	w.size += int64(n)
	return n, err
}

// Size is how many bytes were written, before encryption.
func (w *Writer) Size() int64 { return w.size }

// Sum is the SHA-256 of what was written, before encryption.
func (w *Writer) Sum() []byte { return w.sum.Sum(nil) }

// finish ends the file's content. It is not on the disk, and has no name, before it is kept.
func (w *Writer) finish() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return w.sealed.Close()
}

// open reads a file that is finished and not yet kept.
func (w *Writer) open() (io.ReadCloser, error) {
	if w.part != "" {
		return w.vault.open(w.part, w.Name)
	}
	plain, err := w.vault.cipher.NewDecryptingReader(bytes.NewReader(w.held.Bytes()), []byte(w.Name))
	return io.NopCloser(plain), err
}

// write ends the file and hands it to the system, which brings it to the disk some time.
func (w *Writer) write() error { return errors.Join(w.finish(), w.spill()) }

// sync brings what was written to the disk.
func (w *Writer) sync() error {
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file, w.onDisk = nil, err == nil
	return err
}

// Seal ends the file and brings it to the disk; it has no name yet. Where it was sealed before, nothing happens.
func (w *Writer) Seal() error {
	if w.onDisk {
		return nil
	}
	err := w.write()
	if err == nil {
		err = w.sync()
	}
	if err != nil {
		w.Discard()
	}
	return err
}

// name gives a sealed file its name. The caller brings the folder to the disk.
func (w *Writer) name() error {
	if err := os.Rename(w.part, w.vault.path(w.Name)); err != nil {
		return err
	}
	w.part = ""
	return nil
}

// Keep seals the file and gives it its name.
func (w *Writer) Keep() error { return w.vault.keep([]*Writer{w})[0] }

// writers is how many files are written at once.
const writers = 16

// keep is [Writer.Keep] of many files, which the disk takes together: first all are on their way, then they are waited for,
// and their folder is brought to the disk once. It returns an error for each; a file that has one is gone.
func (v *Vault) keep(files []*Writer) []error {
	errs := make([]error, len(files))
	var writing errgroup.Group
	writing.SetLimit(writers)
	for i, w := range files {
		if !w.onDisk {
			writing.Go(func() error { errs[i] = w.write(); return nil })
		}
	}
	_ = writing.Wait()
	for i, w := range files {
		if errs[i] == nil && !w.onDisk {
			hurry(w.file)
		}
	}
	var waiting sync.WaitGroup
	for i, w := range files {
		if errs[i] == nil && !w.onDisk {
			waiting.Go(func() { errs[i] = w.sync() })
		}
	}
	waiting.Wait()
	named := false
	for i, w := range files {
		if errs[i] == nil {
			errs[i] = w.name()
			named = true
		}
	}
	if named {
		if err := syncDir(v.dir); err != nil {
			for i, w := range files {
				if errs[i] == nil {
					errs[i] = errors.Join(err, v.Remove(w.Name))
				}
			}
		}
	}
	for i, w := range files {
		if errs[i] != nil {
			w.Discard()
		}
	}
	return errs
}

// Discard removes the file where Keep was not called. It may always be deferred.
func (w *Writer) Discard() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	if w.part != "" {
		_ = os.Remove(w.part)
		w.part = ""
	}
}

// reader closes the file behind the decryption.
type reader struct {
	io.Reader
	io.Closer
}

// Open returns the content of a file. Reading fails, before a wrong byte is given out, where the file is damaged.
func (v *Vault) Open(name string) (io.ReadCloser, error) { return v.open(v.path(name), name) }

func (v *Vault) open(path, name string) (io.ReadCloser, error) {
	f, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return nil, err
	}
	plain, err := v.cipher.NewDecryptingReader(f, []byte(name))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return reader{plain, f}, nil
}

// Remove deletes a file; one that is not there is no error.
func (v *Vault) Remove(name string) error {
	if err := os.Remove(v.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// path never leaves the folder: names are our own, and only their last part counts.
func (v *Vault) path(name string) string { return filepath.Join(v.dir, filepath.Base(name)) }

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // our own folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
