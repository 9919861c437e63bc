package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/db"
)

// TestDemoStoresEveryLink: in the demo as people see it, at its usual speed, each link of each message is fetched before
// it expires, that of the days before and that of what happens now. None is missing.
func TestDemoStoresEveryLink(t *testing.T) {
	temporary := t.TempDir()
	start(t, []string{"TMPDIR=" + temporary}, "Carebell demo: ", "demo")
	folders, err := filepath.Glob(filepath.Join(temporary, "carebell-demo-*"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("the demo's folder: %v %v", folders, err)
	}
	d, err := db.Open(t.Context(), folders[0], db.Options{Now: time.Now}) // beside the server, to look
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	read := func(f func(context.Context, db.Snapshot) error) {
		t.Helper()
		if err := d.Read(t.Context(), func(v db.Snapshot) error { return f(t.Context(), v) }); err != nil {
			t.Fatal(err)
		}
	}
	// The address is told when the days before are over; then some live messages with links come.
	var before db.DownloadReport
	read(func(ctx context.Context, v db.Snapshot) (err error) { before, err = v.DownloadReport(ctx); return err })
	var missing []string
	waitFor(t, "live links, each of them in the end", func() bool {
		read(func(ctx context.Context, v db.Snapshot) error {
			r, err := v.DownloadReport(ctx)
			if err != nil || r.Waiting > 0 || r.Total < before.Total+3 {
				missing = []string{fmt.Sprintf("%d of %d wait", r.Waiting, r.Total)}
				return err
			}
			if r.InTime != r.Total {
				t.Fatalf("not every link was stored before it expired: %+v", r)
			}
			missing, err = withoutDownload(ctx, v)
			return err
		})
		return len(missing) == 0
	})
	if before.Total < 100 {
		t.Errorf("the days before have only %d links", before.Total)
	}
}

// withoutDownload names the links in the inbox that no download is known of. Data that is offered in several forms is
// wanted in one.
func withoutDownload(ctx context.Context, v db.Snapshot) (missing []string, err error) {
	messages, err := v.Messages(ctx, db.InboxFilter{Limit: 10_000})
	if err != nil {
		return nil, err
	}
	rows, err := v.QueryContext(ctx, `SELECT inbox_seq, place FROM download`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	known := map[string]bool{}
	for rows.Next() {
		var seq int64
		var place string
		if err := rows.Scan(&seq, &place); err != nil {
			return nil, err
		}
		known[fmt.Sprint(seq, place)] = true
	}
	for _, m := range messages {
		body, err := v.Body(ctx, m.Seq)
		if err != nil {
			return nil, err
		}
		var event any
		if err := json.Unmarshal(body, &event); err != nil {
			return nil, err
		}
		for _, forms := range presigned(event, "") {
			if !slices.ContainsFunc(forms, func(place string) bool { return known[fmt.Sprint(m.Seq, place)] }) {
				missing = append(missing, fmt.Sprintf("%s of message %d", forms, m.Seq))
			}
		}
	}
	return missing, rows.Err()
}

// presigned finds the links in a body by their JSON pointers; those of one thing in several forms belong together.
func presigned(v any, at string) (out [][]string) {
	switch v := v.(type) {
	case map[string]any:
		if content, ok := v["content"].([]any); ok && v["resourceType"] == "DocumentReference" {
			var forms []string
			for _, one := range presigned(content, at+"/content") {
				forms = append(forms, one...)
			}
			if len(forms) > 0 {
				out = append(out, forms)
			}
			return out
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, presigned(v[name], at+"/"+name)...)
		}
	case []any:
		for i, e := range v {
			out = append(out, presigned(e, fmt.Sprint(at, "/", i))...)
		}
	case string:
		if strings.Contains(v, "X-Amz-Signature=") {
			out = append(out, []string{at})
		}
	}
	return out
}
