package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/archive"
	"carebell/web/chart"
)

// exitCode ends the process with itself, without a word: everything was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// What a monitor understands. Source: the guidelines for plugins of Nagios, which others follow.
const (
	wellCode exitCode = iota
	warnCode
	criticalCode
	unknownCode
)

var codeWords = map[exitCode]string{wellCode: "OK", warnCode: "WARNING", criticalCode: "CRITICAL", unknownCode: "UNKNOWN"}

// Where a warning becomes critical, and what is looked at of links and the disk.
const (
	silenceCritical = 3  // times --silence
	lagCritical     = 10 // times --lag
	freeCritical    = 16 << 20
	dyingWithin     = time.Minute
	diedWithin      = time.Hour
	silentHost      = time.Minute
	askTime         = 5 * time.Second
)

const checkHelp = `carebell check prints one line for a monitor, and ends with a code as Nagios and others know it:
  0  OK        all is well
  1  WARNING   somebody should look soon: the disk nearly full, links about to die, the chart behind, a long silence
  2  CRITICAL  somebody should look now: Carebell is down or takes no webhooks, the disk is full, files or messages are missing
  3  UNKNOWN   it could not be found out
Behind the | stand the figures. It reads the database beside a running server and changes nothing.

`

// finding is one thing that was looked at.
type finding struct {
	code exitCode
	text string
}

// check says how everything does, for a monitor.
func check(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	f := s.flags("check")
	silence := f.Duration("silence", 24*time.Hour, "a warning when nothing came from Metriport for so long, critical after three times of it; 0 = any")
	lag := f.Duration("lag", time.Minute, "a warning when a message waits for the chart for so long, critical after ten times of it")
	ask := f.String("ask", "", "address of the server, to ask its /readyz; where not given, CAREBELL_PUBLIC_URL or CAREBELL_ADDR where one is set")
	f.Usage = func() {
		_, _ = io.WriteString(f.Output(), checkHelp)
		f.PrintDefaults()
	}
	if _, err := parse(f, args, 0, t); err != nil {
		return err
	}
	dir, err := s.dataFolder(true)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 4*askTime)
	defer cancel()
	if err := db.Here(dir); err != nil {
		return err
	}
	served, err := db.Served(dir)
	if err != nil {
		return err
	}
	c := &checking{now: now(), silence: *silence, lag: *lag}
	c.server(ctx, served, s.asked(*ask))
	if err := c.disk(dir); err != nil {
		return err
	}
	d, err := db.OpenReader(ctx, dir, now)
	if err != nil {
		if c.worst() < criticalCode {
			return err
		}
		c.add(criticalCode, "the database cannot be read") // as on a full disk, of which something was said
		return c.report(t)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Read(ctx, func(v db.Snapshot) error { return c.database(ctx, v, s.get("CAREBELL_METRIPORT_API_KEY") != "") }); err != nil {
		return err
	}
	return c.report(t)
}

// asked is the address of the server as far as it is known; "" where it is not.
func (s *settings) asked(given string) string {
	if given != "" {
		return given
	}
	if v := s.get("CAREBELL_PUBLIC_URL"); v != "" {
		return v
	}
	if strings.TrimSpace(s.values["CAREBELL_ADDR"]) == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(s.get("CAREBELL_ADDR"))
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if s.get("CAREBELL_TLS_CERT") != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// checking collects what was found.
type checking struct {
	now          time.Time
	silence, lag time.Duration
	found        []finding
	figures      []string
}

func (c *checking) add(code exitCode, text string, args ...any) {
	c.found = append(c.found, finding{code, fmt.Sprintf(text, args...)})
}

// figure adds what a monitor can draw: name=value[;warning;critical].
func (c *checking) figure(text string, args ...any) {
	c.figures = append(c.figures, fmt.Sprintf(text, args...))
}

// server asks whether webhooks are taken.
func (c *checking) server(ctx context.Context, served bool, at string) {
	switch {
	case !served:
		c.add(criticalCode, "Carebell does not run: webhooks fail until it is started, and Metriport can send them again then")
	case at == "":
		c.add(wellCode, "Carebell runs")
	default:
		if why := notReady(ctx, at); why != "" {
			c.add(criticalCode, "Carebell runs and takes no webhooks: %s", why)
		} else {
			c.add(wellCode, "Carebell takes webhooks")
		}
	}
}

// notReady asks /readyz and returns in words what is wrong; "" where nothing is.
func notReady(ctx context.Context, at string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(at, "/")+"/readyz", nil)
	if err != nil {
		return fmt.Sprintf("%q is no address", at)
	}
	client := http.Client{Timeout: askTime, Transport: &http.Transport{
		// The certificate is for the public name, and this may be a loopback address. Nothing secret is said.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	resp, err := client.Do(req)
	if err != nil {
		return at + " does not answer"
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return ""
	}
	line := make([]byte, 100)
	n, _ := resp.Body.Read(line)
	word, _, _ := strings.Cut(string(line[:n]), "\n")
	return fmt.Sprintf("%s/readyz answers %d %s", strings.TrimSuffix(at, "/"), resp.StatusCode, strings.Map(plain, word))
}

// plain leaves out what would break the one line or its figures.
func plain(r rune) rune {
	if r < ' ' || r == '|' || r > '~' {
		return -1
	}
	return r
}

func (c *checking) disk(dir string) error {
	disk, err := archive.MeasureDisk(dir)
	if err != nil {
		return err
	}
	c.figure("free=%dB;%d:;%d:", disk.Free, disk.Floor, freeCritical)
	switch {
	case disk.Free < freeCritical:
		c.add(criticalCode, "the disk is full: %s free", views.Bytes(disk.Free))
	case disk.Free < disk.Floor:
		c.add(warnCode, "the disk is nearly full, so files are not fetched: %s free", views.Bytes(disk.Free))
	default:
		c.add(wellCode, "%s free", views.Bytes(disk.Free))
	}
	return nil
}

// database looks at what came, what waits and what is lost.
func (c *checking) database(ctx context.Context, v db.Snapshot, compared bool) error {
	const most = 10_000
	sum, err := v.Summary(ctx, most)
	if err != nil {
		return err
	}
	c.heard(sum.LastReceived)
	st, err := v.Health(ctx, chart.CursorInbox)
	if err != nil {
		return err
	}
	waited := time.Duration(0)
	if !st.OldestWaiting.IsZero() {
		waited = max(c.now.Sub(st.OldestWaiting), 0)
	}
	c.figure("chart_behind=%d chart_wait=%.0fs;%.0f;%.0f", st.Waiting, waited.Seconds(), c.lag.Seconds(), lagCritical*c.lag.Seconds())
	switch text := fmt.Sprintf("the chart is behind: %s, the first for %s", views.Counted(int(st.Waiting), "message"), views.Long(waited)); {
	case waited >= lagCritical*c.lag:
		c.add(criticalCode, "%s", text)
	case waited >= c.lag:
		c.add(warnCode, "%s", text)
	default:
		c.add(wellCode, "the chart is up to date")
	}
	links, err := v.LinkTrouble(ctx, c.now.Add(dyingWithin), c.now.Add(-diedWithin), c.now.Add(-silentHost))
	if err != nil {
		return err
	}
	c.figure("links_dying=%d links_died=%d hosts_silent=%d", links.Dying, links.Died, links.Silent)
	if links.Died > 0 {
		c.add(criticalCode, "%s died unfetched within the last hour", views.Counted(links.Died, "link"))
	}
	if links.Dying > 0 {
		c.add(warnCode, "%s will die within a minute, not yet fetched", views.Counted(links.Dying, "link"))
	}
	if links.Silent > 0 {
		c.add(warnCode, "not answering: %s that files come from", views.Counted(links.Silent, "host"))
	}
	if !compared {
		return nil
	}
	if sum.Missing > 0 {
		c.add(criticalCode, "missing: %s that Metriport sent", views.Counted(sum.Missing, "message"))
	}
	if sum.Failing != "" {
		c.add(criticalCode, "Metriport says that its webhook to this server is failing")
	}
	return nil
}

// heard looks at when the sender last delivered something.
func (c *checking) heard(last time.Time) {
	if last.IsZero() {
		c.add(warnCode, "nothing came from Metriport yet")
		return
	}
	age := max(c.now.Sub(last), 0)
	if c.silence > 0 {
		c.figure("last_event=%.0fs;%.0f;%.0f", age.Seconds(), c.silence.Seconds(), silenceCritical*c.silence.Seconds())
	} else {
		c.figure("last_event=%.0fs", age.Seconds())
	}
	switch text := "last event from Metriport " + views.Long(age) + " ago"; {
	case c.silence > 0 && age >= silenceCritical*c.silence:
		c.add(criticalCode, "%s", text)
	case c.silence > 0 && age >= c.silence:
		c.add(warnCode, "%s", text)
	default:
		c.add(wellCode, "%s", text)
	}
}

func (c *checking) worst() exitCode {
	worst := wellCode
	for _, f := range c.found {
		worst = max(worst, f.code)
	}
	return worst
}

// report prints the one line: what is wrong, the worst first, or where all is well, all of it.
func (c *checking) report(t terminal) error {
	worst := c.worst()
	var words []string
	for code := worst; code > wellCode || worst == wellCode && code == wellCode; code-- {
		for _, f := range c.found {
			if f.code == code {
				words = append(words, f.text)
			}
		}
	}
	_, err := fmt.Fprintf(t.out, "CAREBELL %s - %s | %s\n", codeWords[worst], strings.Join(words, "; "), strings.Join(c.figures, " "))
	if err != nil || worst == wellCode {
		return err
	}
	return worst
}

// unknown says that nothing could be found out.
func unknown(t terminal, err error) error {
	if _, e := fmt.Fprintf(t.out, "CAREBELL %s - %s\n", codeWords[unknownCode], strings.ReplaceAll(err.Error(), "\n", "; ")); e != nil {
		return e
	}
	return unknownCode
}
