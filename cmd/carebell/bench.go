package main

import (
	"context"
	"errors"
)

func bench(ctx context.Context, s *settings, args []string, t terminal) error {
	f := s.flags("bench")
	words, err := parse(f, args, 1, t)
	if err != nil {
		return err
	}
	if len(words) != 1 || words[0] != "ingest" {
		return errors.New("say what to measure: carebell bench ingest")
	}
	return benchIngest(ctx, s, t)
}
