package archive

import (
	"context"
	"io"

	"carebell/db"
)

// inside takes the files that a file carries. Nothing of them is in the vault before keep, and nothing of them stays
// there that no row names.
type inside struct {
	vault   *Vault
	writers []*partWriter
	parts   []db.Part
	failed  error // of the disk

	kept   []string        // names in the vault
	needed map[string]bool // those that a row names
}

// partWriter is a file of the vault that keeps its first bytes in mind.
type partWriter struct {
	*Writer
	in   *inside
	head []byte
}

func (w *partWriter) Write(p []byte) (int, error) {
	if room := sniffLength - len(w.head); room > 0 {
		w.head = append(w.head, p[:min(room, len(p))]...)
	}
	n, err := w.Writer.Write(p)
	return n, w.in.note(err)
}

// part begins the next file. Those before it are at their end: one file alone is open.
func (in *inside) part() (io.Writer, error) {
	if n := len(in.writers); n > 0 {
		if err := in.note(in.writers[n-1].Seal()); err != nil {
			return nil, err
		}
	}
	w, err := in.vault.Create()
	if in.note(err) != nil {
		return nil, err
	}
	in.writers = append(in.writers, &partWriter{Writer: w, in: in})
	return in.writers[len(in.writers)-1], nil
}

// note passes an error of the disk on and remembers it: the whole file is then fetched again.
func (in *inside) note(err error) error {
	if err != nil && in.failed == nil {
		in.failed = err
	}
	return err
}

// keep brings into the vault what is a part, and forgets the rest.
func (in *inside) keep() error {
	wanted := map[int]bool{}
	for _, p := range in.parts {
		wanted[p.Writer] = true
	}
	err := in.failed
	for i, w := range in.writers {
		if err != nil || !wanted[i+1] {
			w.Discard()
			continue
		}
		if err = w.Keep(); err == nil {
			in.kept = append(in.kept, w.Name)
		}
	}
	if err != nil {
		in.settle(false)
	}
	return err
}

// add writes a row for each part of d.
func (in *inside) add(ctx context.Context, tx *db.Tx, d db.Download) error {
	in.needed = map[string]bool{}
	for _, p := range in.parts {
		w := in.writers[p.Writer-1]
		file, err := tx.AddStored(ctx, db.Download{
			InboxSeq: d.InboxSeq, Place: p.Place, PatientID: d.PatientID, Purpose: db.PurposeAttachment, Name: p.Name, ClaimedType: p.ClaimedType,
			Size: w.Size(), SniffedType: Sniff(w.head), SHA256: w.Sum(), File: w.Name,
		})
		if err != nil {
			return err
		}
		in.needed[file] = true
	}
	return nil
}

// settle removes what no row names; where the rows were not written, everything.
func (in *inside) settle(written bool) {
	for _, name := range in.kept {
		if !written || !in.needed[name] {
			_ = in.vault.Remove(name) // where it stays, an encrypted file that nobody names costs room and nothing else
		}
	}
	in.kept = nil
}

// discard removes what keep was not called for.
func (in *inside) discard() {
	for _, w := range in.writers {
		w.Discard()
	}
}
