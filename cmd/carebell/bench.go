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
	var i ingestBench
	f.IntVar(&i.rounds, "rounds", 5, "ingest: how many rounds are measured")
	f.DurationVar(&i.round, "round", 2*time.Second, "ingest: how long one of them takes")
	f.IntVar(&i.events, "events", 100_000, "burst, rebuild: how many webhooks")
	f.BoolVar(&i.json, "json", false, "ingest, burst, rebuild: answer as JSON")
	f.DurationVar(&o.away, "away", 20*time.Millisecond, "archive: how long the origin takes to answer")
	f.IntVar(&o.queue, "queue", 20_000, "archive: how many links wait while acknowledgements are counted; 0 = leave that out")
	var l liveBench
	f.IntVar(&l.sockets, "sockets", 1000, "live: how many screens are open")
	f.IntVar(&l.filters, "filters", 50, "live: over how many filters of the feed")
	f.IntVar(&l.existing, "existing", 20_000, "live: how many webhooks are in the chart before")
	f.StringVar(&l.folder, "folder", "", "live: a data folder to measure in, such as a copy of a large one; it is written to")
	f.IntVar(&l.events, "webhooks", 200, "live: how many webhooks are timed")
	f.Float64Var(&l.rate, "rate", 20, "live: webhooks a second")
	words, err := parse(f, args, 1, t)
	if err != nil {
		return err
	}
	measures := map[string]func(context.Context, string, terminal) error{"ingest": i.ingest, "burst": i.burst, "rebuild": i.rebuild, "archive": o.run, "live": func(ctx context.Context, dir string, t terminal) error { return l.run(ctx, dir, t) }}
	if len(words) != 1 || measures[words[0]] == nil {
		return errors.New("say what to measure: carebell bench ingest, carebell bench burst, carebell bench rebuild, carebell bench archive or carebell bench live")
	}
	if i.rounds < 1 || i.round <= 0 || i.events < benchConnections {
		return fmt.Errorf("--rounds and --round must be positive, and --events at least %d", benchConnections)
	}
	l.json = i.json
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
	return measures[words[0]](ctx, work, t)
}
