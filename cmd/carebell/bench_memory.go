package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/sim"
)

// memoryBench measures how much memory the process takes, each time in a process of its own.
type memoryBench struct {
	fill   fillBench
	folder string
	large  int // MiB of the big files
}

func (o memoryBench) run(ctx context.Context, dir string, t terminal) error {
	if o.large < 1 || o.large > 200 {
		return fmt.Errorf("--large is %d: choose a number of MiB from 1 to 200", o.large)
	}
	folder, err := o.fill.folderFor(ctx, o.folder, dir, t)
	if err != nil {
		return err
	}
	cfg := web.Config{Addr: "127.0.0.1:0", Keys: []intake.Key{{Value: benchKey}}, Zone: time.UTC, Now: now, DataDir: folder, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	var k samples
	err = benchServerOn(ctx, cfg, func(ctx context.Context, srv *web.Server, d *db.DB) error { // who signs in below
		for _, role := range []db.Role{db.Coordinator, db.Admin} {
			if _, err := signInAs(ctx, srv, d, role); err != nil {
				return err
			}
		}
		return d.Read(ctx, func(v db.Snapshot) (err error) {
			k, err = lookAround(ctx, v)
			return err
		})
	})
	if err != nil {
		return err
	}
	r := benchReport{Title: "Resident memory of the process, each line of one that was started for it"}
	rest := 0.0
	for _, step := range []struct {
		name string
		do   func(ctx context.Context, c *child) error
	}{
		{"at rest", func(ctx context.Context, _ *child) error { return pause(ctx, 2*time.Second) }},
		{"after every page, twice", func(ctx context.Context, c *child) error { return c.pages(ctx, k) }},
		{"after exports", func(ctx context.Context, c *child) error { return c.exports(ctx, k) }},
		{fmt.Sprintf("after files of %d MiB", o.large), func(ctx context.Context, c *child) error { return c.bigFiles(ctx, folder, o.large) }},
	} {
		fmt.Fprintln(t.log, "measuring memory "+step.name)
		now, most, err := inChild(ctx, folder, o.large, step.do)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if rest == 0 {
			rest = now
		}
		r.add(step.name+", now", now, "MiB")
		r.against(step.name+", at most", most, "MiB", "the process at rest", rest)
	}
	return r.write(t)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// child is a server in a process of its own.
type child struct {
	base   string
	pid    int
	origin string
}

// inChild runs a server in a process of its own while f runs, and returns its memory then and at most, in MiB.
func inChild(ctx context.Context, folder string, large int, f func(ctx context.Context, c *child) error) (held, most float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, err := listenLoopback(ctx)
	if err != nil {
		return 0, 0, err
	}
	origin := &http.Server{Handler: bigOrigin(large << 20), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = origin.Serve(listener) }()
	defer func() { _ = origin.Close() }()
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, self, "serve") //nolint:gosec // this program itself
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Env = []string{
		"CAREBELL_DATA=" + folder, "CAREBELL_ADDR=127.0.0.1:0", "CAREBELL_WEBHOOK_KEYS=" + benchKey, "CAREBELL_TIMEZONE=UTC",
		"CAREBELL_DOWNLOAD_HOSTS=" + listener.Addr().String(), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.Getenv("TMPDIR"),
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return 0, 0, fmt.Errorf("starting a server: %w", err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was interrupted
	}()
	c := &child{pid: cmd.Process.Pid, origin: "http://" + listener.Addr().String()}
	lines := bufio.NewScanner(out)
	for c.base == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Carebell is at "); ok {
			c.base = rest
		}
	}
	if c.base == "" {
		cancel()
		_ = cmd.Wait()
		return 0, 0, fmt.Errorf("the server did not start: %s", strings.TrimSpace(complaint.String()))
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if err := f(ctx, c); err != nil {
		return 0, 0, err
	}
	if held, err = memoryOf(c.pid, "VmRSS"); err == nil {
		most, err = memoryOf(c.pid, "VmHWM")
	}
	return held, most, err
}

// memoryOf reads what Linux says of a process (proc_pid_status(5)), in MiB.
func memoryOf(pid int, field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("memory is measured on Linux alone: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kB, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kB / 1024, err
		}
	}
	return 0, errors.New("the system does not say how much memory a process has")
}

// people signs in who asks for pages.
func (c *child) people(ctx context.Context) (coordinator, admin person, err error) {
	if coordinator, err = signInAt(ctx, c.base, string(db.Coordinator)+benchDomain); err == nil {
		admin, err = signInAt(ctx, c.base, string(db.Admin)+benchDomain)
	}
	return coordinator, admin, err
}

func (c *child) pages(ctx context.Context, k samples) error {
	coordinator, admin, err := c.people(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		for _, p := range k.pages() {
			who := coordinator
			if p.admin {
				who = admin
			}
			if strings.Contains(p.path, noPage) {
				continue
			}
			if _, err := who.ask(ctx, p.path, nil); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

func (c *child) exports(ctx context.Context, k samples) error {
	coordinator, admin, err := c.people(ctx)
	if err != nil {
		return err
	}
	for _, p := range k.exports() {
		who := coordinator
		if p.admin {
			who = admin
		}
		if _, _, _, err := who.export(ctx, p.path); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// bigKinds are files that are large, and of which a careless reader would make something much larger.
var bigKinds = []struct{ name, mime, start, repeat, end string }{
	{"commas.csv", "text/csv", "a,b\n", ",,,,,,,,,,,,,,,\n", ""},
	{"text.txt", "text/plain", "", "A line of a very long note of nobody.\n", ""},
	{"bundle.json", "application/json", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Basic"}}`, `,{"resource":{"resourceType":"Observation","status":"final","code":{"text":"Sodium"},"valueQuantity":{"value":140}}}`, "]}"},
	{"document.xml", "application/xml", `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody>`, `<component><section><title>Plan</title><text>Rest</text></section></component>`, "</structuredBody></component></ClinicalDocument>"},
}

// bigOrigin serves such files, written as they are read.
func bigOrigin(size int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, k := range bigKinds {
			if !strings.HasSuffix(r.URL.Path, k.name) {
				continue
			}
			chunk := strings.Repeat(k.repeat, 64<<10/len(k.repeat))
			_, _ = io.WriteString(w, k.start)
			for n := 0; n < size; n += len(chunk) {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
			_, _ = io.WriteString(w, k.end)
			return
		}
		http.NotFound(w, r)
	})
}

// bigFiles sends links to big files, waits until they are stored and looks at each in every way.
func (c *child) bigFiles(ctx context.Context, folder string, large int) (err error) {
	coordinator, _, err := c.people(ctx)
	if err != nil {
		return err
	}
	var documents []string
	for i, k := range bigKinds {
		documents = append(documents, fmt.Sprintf(`{"id":"big-%d","fileName":%q,"mimeType":%q,"url":"%s/%s"}`, i, k.name, k.mime, c.origin, k.name))
	}
	request := fmt.Sprintf("big-%d", now().UnixNano())
	body := fmt.Appendf(nil, `{"meta":{"messageId":"%s","requestId":"%s","when":%q,"type":"medical.document-bulk-download-paged"},"patients":[{"patientId":"big-files","status":"completed","documents":[%s],"pagination":{"page":1,"totalPages":1,"totalItems":%d}}]}`,
		request, request, now().UTC().Format(time.RFC3339Nano), strings.Join(documents, ","), len(documents))
	status, answer, err := sim.Post(ctx, http.DefaultClient, c.base+intake.Path, benchKey, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("a webhook was answered %d: %s", status, answer)
	}
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, folder, db.Options{Now: now}) // beside the server, to look
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	var files []db.Download
	for deadline := now().Add(time.Minute + time.Duration(large)*time.Second); ; {
		if err := d.Read(ctx, func(v db.Snapshot) error {
			var seq int64
			if err := v.QueryRowContext(ctx, `SELECT seq FROM inbox WHERE message_id = ?`, request).Scan(&seq); err != nil {
				return err
			}
			files, err = v.DownloadsOf(ctx, seq)
			return err
		}); err != nil {
			return err
		}
		stored := 0
		for _, f := range files {
			if f.State == db.FetchStored {
				stored++
			}
		}
		if stored == len(bigKinds) {
			break
		}
		if now().After(deadline) {
			return fmt.Errorf("%d of %d big files were stored in time", stored, len(bigKinds))
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	for _, f := range files {
		for _, way := range []string{"/preview", "/spreadsheet", ""} {
			if err := coordinator.look(ctx, fmt.Sprintf("/files/%d%s", f.ID, way)); err != nil {
				return err
			}
		}
	}
	return nil
}

// look asks for a page that may answer that there is no such view of a file.
func (p person) look(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s answered %s", path, resp.Status)
	}
	return nil
}
