package web

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/archive"
)

// How the disk is watched while it takes nothing more, or is about to.
const (
	lookAtRoom = time.Second
	scarce     = 16 << 20 // bytes free below which it is tried whether the disk still takes something
	tryWithin  = 5 * time.Second
	lookAtFile = 5 // every how many looks it is tried whether a file can be made
)

// fullAlert is what everybody must know while nothing can be stored.
const fullAlert = "Nothing can be stored: the disk of this computer is full or may not be written to. Webhooks are refused, and Metriport notes them as failed: they can be sent again afterwards. " +
	"What came before is safe. Lists can be read, and signing out works; marks, notes, files, signing in, and whatever leaves a trace, such as a patient’s page, have to wait. " +
	"Tell whoever looks after this computer to make room now: Carebell then goes on by itself."

// fullProblem is the page of what has to wait for room.
var fullProblem = views.Problem{
	Title: "The disk is full",
	Text: "This could not be stored, so nothing was changed: the disk of this computer is full or may not be written to. What came in before is safe. " +
		"Lists can still be read. Everything that leaves a trace, such as a patient’s page, a file, a mark or signing in, works again by itself when there is room. Tell whoever looks after this computer.",
}

// filesAlert is what everybody must know while the folder of files takes none.
const filesAlert = "Files cannot be stored: the folder for them may not be written to, or is gone. Webhooks still come in and are kept, but links die before their files are fetched. Tell whoever looks after this computer: Carebell goes on by itself when the folder can be written to."

// watchRoom finds out when a disk that took nothing more takes something again, and has what was put off done then.
func (s *Server) watchRoom(ctx context.Context) error {
	tick := time.NewTicker(lookAtRoom)
	defer tick.Stop()
	for look := 0; ; look++ {
		if look%lookAtFile == 0 || s.noFiles.Load() {
			s.tryFile()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if full := s.db.Full(); full || s.scarce() {
			s.tryRoom(ctx, full)
		}
		if !s.db.Full() && s.auth.Unsettled() > 0 {
			if err := s.auth.Settle(ctx); err != nil {
				s.cfg.Log.Error("logouts could not be written down; they hold all the same while Carebell runs", "error", err)
			}
		}
	}
}

func (s *Server) scarce() bool {
	disk, err := s.archive.Disk()
	return err == nil && disk.Free < scarce
}

func (s *Server) tryRoom(ctx context.Context, full bool) {
	ctx, cancel := context.WithTimeout(db.Behind(ctx), tryWithin)
	defer cancel()
	if err := s.db.TryRoom(ctx); err != nil || !full {
		return
	}
	s.archive.Wake()
	s.imports.Wake()
	s.projector.Wake()
}

// tryFile finds out whether a file can be made where downloads are kept.
func (s *Server) tryFile() {
	const name = "trial" + archive.Unfinished // what is left of it after a crash is swept away
	path := filepath.Join(s.cfg.DataDir, archive.Folder, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600) //nolint:gosec // our own folder
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(path))
	}
	if cannot := err != nil; s.noFiles.Swap(cannot) == cannot {
		return
	}
	if err != nil {
		s.cfg.Log.Error("no file can be made in the folder of downloads: webhooks are kept, links die", "error", err)
	} else {
		s.cfg.Log.Info("files can be made again")
		s.archive.Wake()
	}
	s.hub.Wake()
}

// roomChanged tells screens and the log.
func (s *Server) roomChanged() {
	if s.db.Full() {
		s.cfg.Log.Error("the disk takes nothing more: webhooks are answered 503, so that they are sent again; make room, and Carebell goes on by itself")
	} else {
		s.cfg.Log.Info("the disk takes something again")
	}
	s.hub.Wake()
}
