package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"carebell/db"
	"carebell/web/chart"
)

// inboxLine is one message as `carebell inbox --json` prints it. Times are UTC.
type inboxLine struct {
	Seq        int64   `json:"seq"`
	MessageID  string  `json:"messageId"`
	RequestID  *string `json:"requestId"`
	Type       string  `json:"type"`
	When       *string `json:"when"`
	ReceivedAt string  `json:"receivedAt"`
	Deliveries int     `json:"deliveries"`
	Status     string  `json:"status"`
	Error      *string `json:"error"`
}

func inbox(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	f := s.flags("inbox")
	asJSON := f.Bool("json", false, "one JSON object a line")
	filter := db.InboxFilter{}
	f.Int64Var(&filter.After, "after", 0, "only messages with a greater number")
	f.StringVar(&filter.Type, "type", "", "only messages of this type")
	status := f.String("status", "", "only messages with this status")
	if _, err := parse(f, args, 0, t); err != nil {
		return err
	}
	if filter.Status = db.Status(*status); *status != "" && !slices.Contains(db.Statuses, filter.Status) {
		return fmt.Errorf("there is no status %q: choose received, processed, unrecognized, malformed or failed", *status)
	}
	d, err := s.openExisting(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	write, flush := tableWriter(t.out)
	if *asJSON {
		write, flush = jsonWriter(t.out)
	}
	for {
		var page []db.Message
		err := d.Read(ctx, func(v db.Snapshot) (err error) {
			page, err = v.Messages(ctx, filter)
			return err
		})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return flush()
		}
		for _, m := range page {
			if err := write(m); err != nil {
				return err
			}
		}
		filter.After = page[len(page)-1].Seq
	}
}

func jsonWriter(w io.Writer) (write func(db.Message) error, flush func() error) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return func(m db.Message) error {
		return e.Encode(inboxLine{
			Seq: m.Seq, MessageID: m.MessageID, RequestID: optional(m.RequestID), Type: m.Type, When: optional(utc(m.SentAt)),
			ReceivedAt: utc(m.ReceivedAt), Deliveries: m.Deliveries, Status: string(m.Status), Error: optional(m.Error),
		})
	}, func() error { return nil }
}

func tableWriter(w io.Writer) (write func(db.Message) error, flush func() error) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "SEQ\tRECEIVED\tTYPE\tSTATUS\tDELIVERIES\tMESSAGE ID\tERROR")
	return func(m db.Message) error {
		_, err := fmt.Fprintf(tab, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", m.Seq, utc(m.ReceivedAt), m.Type, m.Status, m.Deliveries, m.MessageID, m.Error)
		return err
	}, tab.Flush
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func rebuild(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	if _, err := parse(s.flags("rebuild"), args, 0, t); err != nil {
		return err
	}
	d, err := s.openExisting(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	cfg, err := s.config(t)
	if err != nil {
		return err
	}
	const every = 10_000
	next := every
	n, err := chart.Rebuild(ctx, d, cfg.Log, func(done int) {
		if done >= next {
			fmt.Fprintf(t.log, "%d messages read again\n", done)
			next += every
		}
	})
	if err != nil {
		return fmt.Errorf("the rebuild stopped after %d messages, the inbox is untouched: %w; run carebell rebuild again", n, err)
	}
	_, err = fmt.Fprintf(t.out, "Everything people see was made again from %d deliveries.\n", n)
	return err
}

func verify(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	if _, err := parse(s.flags("verify"), args, 0, t); err != nil {
		return err
	}
	d, err := s.openExisting(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	v, err := d.Verify(ctx)
	if err != nil {
		return fmt.Errorf("the inbox is not as it was written: %w; keep this folder as it is and restore a backup into another one", err)
	}
	_, err = fmt.Fprintf(t.out, "The inbox is whole: %d messages, %d further deliveries.\n", v.Messages, v.Repeats)
	return err
}

// openExisting opens a data folder that must be there.
func (s *settings) openExisting(ctx context.Context, alone bool) (*db.DB, error) {
	dir, err := s.dataFolder(true)
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, dir, db.Options{Now: now, Serve: alone})
	if err != nil && alone && strings.Contains(err.Error(), "already serving") {
		return nil, fmt.Errorf("a server is running on %s: stop it, then run this again", dir)
	}
	return d, err
}
