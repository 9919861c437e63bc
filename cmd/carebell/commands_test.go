package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carebell/web/metriport"
)

// TestUserAddBesideAServer: whoever is added can log in at once.
func TestUserAddBesideAServer(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	data := []string{"CAREBELL_DATA=" + dir}
	for role, wantSetup := range map[string]int{"admin": http.StatusOK, "coordinator": http.StatusForbidden, "viewer": http.StatusForbidden} {
		email := role + "@clinic.example"
		if got := login(t, browser(), p.url, email, password); got != http.StatusUnauthorized {
			t.Errorf("%s can log in before being added: %d", role, got)
		}
		must(t, data, password+"\n", "user", "add", "--email", email, "--role", role)
		b := browser()
		if got := login(t, b, p.url, email, password); got != http.StatusSeeOther {
			t.Errorf("%s cannot log in: %d", role, got)
		}
		if got, _ := get(t, b, p.url+"/"); got != http.StatusOK {
			t.Errorf("%s cannot see the feed: %d", role, got)
		}
		if got, _ := get(t, b, p.url+"/setup"); got != wantSetup {
			t.Errorf("%s at /setup: %d, want %d", role, got, wantSetup)
		}
	}
	again := carebell(t, data, password+"\n", "user", "add", "--email", "ADMIN@clinic.example", "--role", "viewer")
	if again.code != 1 || !strings.Contains(again.log, "email already") {
		t.Errorf("the same email again: %+v", again)
	}
	// A password with Windows line ends, and with spaces at its end, is the one that was typed.
	must(t, data, password+"  \r\n", "user", "add", "--email", "win@clinic.example", "--role", "viewer")
	if got := login(t, browser(), p.url, "win@clinic.example", password+"  "); got != http.StatusSeeOther {
		t.Errorf("the password with spaces: %d", got)
	}
	if strings.Contains(p.said()+p.logged(), password) {
		t.Error("the server told a password")
	}
}

// TestSetupLinkIsPrintedOnce: while nobody can log in, each start prints a new link; afterwards none.
func TestSetupLinkIsPrintedOnce(t *testing.T) {
	dir := t.TempDir()
	link := regexp.MustCompile(`http://\S+/setup\?token=[\w-]{43}\b`)
	first := serve(t, dir)
	old := link.FindString(first.said())
	waitFor(t, "the link", func() bool { old = link.FindString(first.said()); return old != "" })
	if code := first.end(t, terminate); code != 0 {
		t.Errorf("ended with %d", code)
	}
	p := serve(t, dir)
	var address string
	waitFor(t, "the link", func() bool { address = link.FindString(p.said()); return address != "" })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	token := u.Query().Get("token")
	if strings.HasSuffix(old, token) {
		t.Error("both starts printed the same link")
	}
	if strings.Contains(p.logged(), token) {
		t.Error("the link is in the log")
	}
	b := browser()
	_, oldToken, _ := strings.Cut(old, "token=")
	if status, page := get(t, b, p.url+"/setup?token="+oldToken); status != http.StatusForbidden || strings.Contains(page, `name="password"`) {
		t.Errorf("the older link still opens: %d", status)
	}
	if status, page := get(t, b, address); status != http.StatusOK || !strings.Contains(page, `name="password"`) {
		t.Errorf("the link gives %d %s", status, page)
	}
	setup := func(password string) int {
		resp, err := b.PostForm(p.url+"/setup", url.Values{"token": {token}, "email": {"first@clinic.example"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := setup("short"); status != http.StatusUnprocessableEntity {
		t.Errorf("a short password: %d", status)
	}
	if status := setup(password); status != http.StatusSeeOther {
		t.Errorf("making the first admin: %d", status)
	}
	if status, page := get(t, b, p.url+"/setup"); status != http.StatusOK || !strings.Contains(page, p.url+"/webhooks/metriport") || strings.Contains(page, key) {
		t.Errorf("the page for Metriport: %d %s", status, page)
	}
	if status, _ := get(t, browser(), address); status != http.StatusForbidden {
		t.Errorf("the used link gives %d", status)
	}
	p.end(t, terminate)
	p = serve(t, dir)
	if got := login(t, browser(), p.url, "first@clinic.example", password); got != http.StatusSeeOther {
		t.Errorf("the first admin cannot log in: %d", got)
	}
	if strings.Contains(p.said(), "token=") {
		t.Errorf("a link is printed although somebody can log in: %s", p.said())
	}
}

// TestSendEveryType: each sample is taken, listed and understood, and so is a file.
func TestSendEveryType(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	to := []string{"CAREBELL_ADDR=" + strings.TrimPrefix(p.url, "http://"), "CAREBELL_WEBHOOK_KEYS=" + key + ",another"}
	ids := map[string]string{}
	said := regexp.MustCompile(`^200 in \S+, messageId (\S+)\n$`)
	for _, kind := range metriport.Types {
		m := said.FindStringSubmatch(must(t, to, "", "send", string(kind)))
		if m == nil {
			t.Fatalf("send %s does not say what became of it", kind)
		}
		ids[m[1]] = string(kind)
	}
	file := filepath.Join(t.TempDir(), "event.json")
	body := `{"meta":{"messageId":"from-a-file","type":"patient.teleported"}}` + "\n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out := must(t, nil, "", "send", file, "--url", p.url+"/webhooks/metriport", "--key", key); !strings.Contains(out, "from-a-file") {
			t.Errorf("send of a file says %q", out)
		}
	}
	settled(t, dir)
	lines := inbox(t, dir)
	if len(lines) != len(metriport.Types)+1 {
		t.Errorf("%d messages, want %d", len(lines), len(metriport.Types)+1)
	}
	for _, l := range lines {
		switch {
		case l.MessageID == "from-a-file":
			if l.Status != "unrecognized" || l.Deliveries != 2 {
				t.Errorf("%+v", l)
			}
		case ids[l.MessageID] != l.Type || l.Status != "processed" || l.When == nil || l.Error != nil:
			t.Errorf("%+v, sent as %q", l, ids[l.MessageID])
		}
	}
	wrong := carebell(t, to, "", "send", "ping", "--key", "hunter2")
	if wrong.code != 1 || !strings.Contains(wrong.log, "401") || strings.Contains(wrong.log, "hunter2") || strings.Count(wrong.log, "\n") != 1 {
		t.Errorf("a wrong key: %+v", wrong)
	}
}

// TestInboxListsEverything beside a running server: the names of the fields, their forms, and the filters.
func TestInboxListsEverything(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	send := func(body string) {
		file := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, nil, "", "send", file, "--url", p.url+"/webhooks/metriport", "--key", key)
	}
	send(`{"meta":{"messageId":"a","requestId":"r-<1>","when":"2026-11-20T10:00:00.5-06:00","type":"patient.admit"},"payload":{"patientId":"p"}}`)
	send(`{"meta":{"messageId":"b","type":"patient.admit"}}`)
	send(`{"meta":{"messageId":"c","type":"x"}}`)
	send(`not JSON`)
	send(`{"meta":{"messageId":"d","type":"ping"},"ping":"x"}`)
	settled(t, dir)

	data := []string{"CAREBELL_DATA=" + dir}
	out := must(t, data, "", "inbox", "--json")
	var names [][]string
	for _, text := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		d := json.NewDecoder(strings.NewReader(text))
		var fields []string
		_, _ = d.Token()
		for d.More() {
			name, err := d.Token()
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			fields = append(fields, fmt.Sprint(name))
			var value any
			if err := d.Decode(&value); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		names = append(names, fields)
	}
	want := []string{"seq", "messageId", "requestId", "type", "when", "receivedAt", "deliveries", "status", "error"}
	if len(names) != 5 {
		t.Fatalf("%d lines:\n%s", len(names), out)
	}
	for _, fields := range names {
		if !slices.Equal(fields, want) {
			t.Errorf("a line has the fields %v, want %v", fields, want)
		}
	}
	lines := inbox(t, dir)
	first := lines[0]
	if first.Seq != 1 || first.MessageID != "a" || first.RequestID == nil || *first.RequestID != "r-<1>" || first.Type != "patient.admit" ||
		first.When == nil || *first.When != "2026-11-20T16:00:00.500Z" || first.Deliveries != 1 || first.Status != "processed" || first.Error != nil {
		t.Errorf("the first line is %+v", first)
	}
	for i, l := range lines {
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(l.ReceivedAt) || l.Seq != int64(i+1) {
			t.Errorf("line %d: %+v", i, l)
		}
		if i > 0 && (l.RequestID != nil || l.When != nil) {
			t.Errorf("what was not sent is not null: %+v", l)
		}
	}
	statuses := []string{"processed", "failed", "unrecognized", "malformed", "processed"}
	for i, l := range lines {
		if l.Status != statuses[i] || (l.Error != nil) != (l.Status == "failed" || l.Status == "malformed") {
			t.Errorf("line %d is %s (%v), want %s", i, l.Status, l.Error, statuses[i])
		}
	}
	for _, filter := range []struct {
		args []string
		want []int64
	}{
		{[]string{"--after", "3"}, []int64{4, 5}},
		{[]string{"--after", "5"}, nil},
		{[]string{"--type", "patient.admit"}, []int64{1, 2}},
		{[]string{"--type", "patient"}, nil},
		{[]string{"--status", "processed"}, []int64{1, 5}},
		{[]string{"--status", "malformed"}, []int64{4}},
		{[]string{"--status", "received"}, nil},
		{[]string{"--status", "processed", "--type", "patient.admit", "--after", "1"}, nil},
	} {
		var got []int64
		for _, l := range inbox(t, dir, filter.args...) {
			got = append(got, l.Seq)
		}
		if !slices.Equal(got, filter.want) {
			t.Errorf("%v lists %v, want %v", filter.args, got, filter.want)
		}
	}
	if table := must(t, data, "", "inbox"); strings.Count(table, "\n") != 6 || !strings.Contains(table, "MESSAGE ID") {
		t.Errorf("the table is\n%s", table)
	}
	if code := p.end(t, terminate); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	if after := inbox(t, dir); len(after) != 5 {
		t.Errorf("%d lines when nobody serves", len(after))
	}
}

// TestTestEventsAreListedByTheirID: the dashboard's test events share one, and each is a line.
func TestTestEventsAreListedByTheirID(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	for _, kind := range []string{"patient.admit", "patient.transfer", "patient.discharge", "patient.admit"} {
		file := filepath.Join(t.TempDir(), "body")
		body := `{"meta":{"messageId":"msg-123","whenGenerated":"2026-11-20T10:00:00Z","type":"` + kind + `"},"payload":{"patientId":"patient-123"}}`
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, nil, "", "send", file, "--url", p.url+"/webhooks/metriport", "--key", key)
	}
	settled(t, dir)
	var got []string
	for _, l := range inbox(t, dir) {
		got = append(got, fmt.Sprint(l.MessageID, " ", l.Type, " ", l.Deliveries, " ", l.Status))
	}
	want := []string{"msg-123 patient.admit 2 processed", "msg-123 patient.transfer 1 processed", "msg-123 patient.discharge 1 processed"}
	if !slices.Equal(got, want) {
		t.Errorf("the inbox lists %q, want %q", got, want)
	}
	if table := must(t, []string{"CAREBELL_DATA=" + dir}, "", "inbox"); strings.Contains(table, "\x1f") {
		t.Errorf("the table is\n%s", table)
	}
	if code := p.end(t, terminate); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	if out := must(t, []string{"CAREBELL_DATA=" + dir}, "", "verify"); !strings.Contains(out, "3 messages") {
		t.Errorf("verify says %q", out)
	}
}

// TestStopLeavesOneFile: after a signal the write-ahead log is folded into the database, and the folder can be served again.
func TestStopLeavesOneFile(t *testing.T) {
	for _, signal := range []os.Signal{terminate, interrupt} {
		dir := t.TempDir()
		p := serve(t, dir)
		for range 3 {
			must(t, nil, "", "send", "patient.admit", "--url", p.url+"/webhooks/metriport", "--key", key)
		}
		if code := p.end(t, signal); code != 0 || strings.Contains(p.logged(), "level=ERROR") {
			t.Errorf("%v: ended with %d: %s", signal, code, p.logged())
		}
		if info, err := os.Stat(filepath.Join(dir, "carebell.db-wal")); err == nil && info.Size() > 0 {
			t.Errorf("%v: the write-ahead log has %d bytes", signal, info.Size())
		}
		if info, err := os.Stat(filepath.Join(dir, "carebell.db")); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the database can be read by others: %v %v", info.Mode(), err)
		}
		if got := inbox(t, dir); len(got) != 3 {
			t.Errorf("%v: %d messages", signal, len(got))
		}
	}
}

// TestRebuildAndVerify from the command line, with nobody serving.
func TestRebuildAndVerify(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	for _, kind := range metriport.Types {
		must(t, nil, "", "send", string(kind), "--url", p.url+"/webhooks/metriport", "--key", key)
	}
	settled(t, dir)
	if code := p.end(t, terminate); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	data := []string{"CAREBELL_DATA=" + dir}
	before := inbox(t, dir)
	if out := must(t, data, "", "rebuild"); !strings.Contains(out, fmt.Sprint(len(metriport.Types))) {
		t.Errorf("rebuild says %q", out)
	}
	if after := inbox(t, dir); fmt.Sprint(len(after)) != fmt.Sprint(len(before)) || after[0].Status != "processed" || after[len(after)-1].Status != "processed" {
		t.Errorf("the inbox was %+v and is %+v", before, after)
	}
	if out := must(t, data, "", "verify"); !strings.Contains(out, fmt.Sprintf("whole: %d messages", len(before))) {
		t.Errorf("verify says %q", out)
	}
}
