package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

func bench(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	f := s.flags("bench")
	var o archiveBench
	f.IntVar(&o.documents, "documents", 400, "archive: how many documents with links are sent in each part")
	f.IntVar(&o.size, "size", 64, "archive: KiB of a document")
	f.DurationVar(&o.outage, "outage", time.Minute, "archive: how long the origin is down")
	f.DurationVar(&o.life, "life", 10*time.Minute, "archive: how long a link lives; the sender's own live 10 minutes")
	f.DurationVar(&o.away, "away", 20*time.Millisecond, "archive: how long the origin takes to answer")
	f.IntVar(&o.queue, "queue", 20_000, "archive: how many links wait while acknowledgements are counted; 0 = leave that out")
	words, err := parse(f, args, 1, t)
	if err != nil {
		return err
	}
	if len(words) != 1 || words[0] != "ingest" && words[0] != "archive" {
		return errors.New("say what to measure: carebell bench ingest or carebell bench archive")
	}
	dir, err := s.dataFolder(false)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder %s to measure in: %w; choose another disk with CAREBELL_DATA", dir, err)
	}
	work, err := os.MkdirTemp(dir, "bench-")
	if err != nil {
		return fmt.Errorf("cannot write in %s to measure its disk: %w; choose another with CAREBELL_DATA", dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if words[0] == "archive" {
		return o.run(ctx, work, t)
	}
	return benchIngest(ctx, work, t)
}
