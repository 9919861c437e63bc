package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/sim"
)

// sampleStore stands in sample events where a real one has the sender's storage. It does not exist, as the name says.
const sampleStore = "https://sample.invalid"

func send(ctx context.Context, s *settings, args []string, t terminal) error {
	f := s.flags("send")
	url := f.String("url", "", "where to post to; this computer's Carebell where not set")
	key := f.String("key", "", "webhook key to sign with; the first of CAREBELL_WEBHOOK_KEYS where not set")
	words, err := parse(f, args, 1, t)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return fmt.Errorf("say what to send: a file, or one of %s", typeNames())
	}
	body, err := sample(words[0])
	if err != nil {
		return err
	}
	if *key == "" {
		keys, err := webhookKeys(s.get("CAREBELL_WEBHOOK_KEYS"))
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return errors.New("there is no key to sign with: give --key or set CAREBELL_WEBHOOK_KEYS")
		}
		*key = keys[0].Value
	}
	if *url == "" {
		*url = "http://" + s.get("CAREBELL_ADDR") + intake.Path
	}
	began := now()
	status, reply, err := sim.Post(ctx, &http.Client{Timeout: 15 * time.Second}, *url, *key, body)
	if err != nil {
		return fmt.Errorf("nothing answered at %s: %w; start carebell serve, or give --url", *url, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s answered %d: %s", *url, status, strings.TrimSpace(string(reply)))
	}
	_, err = fmt.Fprintf(t.out, "200 in %s, messageId %s\n", now().Sub(began).Round(time.Millisecond), metriport.ReadEnvelope(body).MessageID)
	return err
}

// sample is the content of a file of that name, else a sample event of that type.
func sample(word string) ([]byte, error) {
	if metriport.Known(word) {
		m, err := sim.New(sim.Options{Now: now, Seed: uint64(now().UnixNano()), BaseURL: sampleStore}).Sample(metriport.Type(word))
		return m.Body, err
	}
	body, err := os.ReadFile(word) //nolint:gosec // the person names the file
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q is neither a file nor an event type; the types are %s", word, typeNames())
	}
	return body, err
}

func typeNames() string {
	names := make([]string, len(metriport.Types))
	for i, t := range metriport.Types {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}
