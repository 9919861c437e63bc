package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/chart"
)

// letterFile is a stored message: its payload entries, as JSON.
func letterFile(more string, payload ...string) string {
	return `{"resourceType":"Communication","id":"c-1","status":"completed","sent":"2026-11-20T09:59:00Z","topic":{"text":"From the file"},
		"sender":{"display":"Dr. File"},"recipient":[{"display":"Our intake"}]` + more + `,"payload":[` + strings.Join(payload, ",") + `]}`
}

func inlined(name, kind string, content []byte) string {
	b, _ := json.Marshal(map[string]any{"contentAttachment": map[string]any{"title": name, "contentType": kind, "data": base64.StdEncoding.EncodeToString(content)}})
	return string(b)
}

// TestWhatAStoredMessageCarriesBecomesFiles: inline, behind a link, in a binary of the bundle; each once, served and shown
// like every other file, and only once after a rebuild and a restart.
func TestWhatAStoredMessageCarriesBecomesFiles(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	large := bytes.Repeat([]byte("%PDF-1.7 large "), 300_000) // 4.5 MB: far more than the facts keep
	note := []byte("Note <b>with markup</b>\nsecond line")
	linked := o.lead("/linked.txt", 10*time.Minute, says("behind a link"))
	inEvent := o.lead("/event.txt", 10*time.Minute, says("named by the event"))
	file := letterFile("", `{"contentString":"Dear colleague,\nsee attached."}`, inlined("../../etc/note.txt", "text/plain", note), inlined("scan.pdf", "application/pdf", large),
		inlined("again.txt", "text/plain", note), `{"contentAttachment":{"title":"broken.bin","data":"!!!"}}`, `{"contentAttachment":{"title":"linked.txt","contentType":"text/plain","url":"`+linked+`"}}`,
		`{"contentAttachment":{"title":"event.txt","url":"`+strings.ReplaceAll(inEvent, "secret-signature", "another")+`"}}`, `{"contentAttachment":{"title":"elsewhere","url":"https://evil.example/x"}}`,
		`{"contentAttachment":{"title":"script","url":"javascript:alert(1)"}}`, inlined("page.html", "text/plain", []byte(`<html><script>alert(1)</script><p>hello</p></html>`)))
	link := o.lead("/message.json", 10*time.Minute, says(file))
	ids := o.take(t, o.event("message.received", "p-1", link, `,"attachments":[{"url":"`+inEvent+`","fileName":"event.txt"}]`))
	o.ends(t, ids[0], db.FetchStored)
	names := func() (out []string) {
		if err := o.DB.Read(t.Context(), func(v db.Snapshot) error {
			list, err := v.DownloadsOf(t.Context(), 1)
			for _, d := range list {
				out = append(out, fmt.Sprint(d.Place, " ", d.Name, " ", d.State, " ", d.Size, " ", d.SniffedType, " ", d.ClaimedType))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, id := range o.numbers(t, `SELECT id FROM download WHERE place = '/payload/url#attachment/4' OR place LIKE '/payload/attachments/%'`) {
		o.ends(t, id, db.FetchStored)
	}
	for _, id := range o.numbers(t, `SELECT id FROM download WHERE name = 'elsewhere'`) {
		o.ends(t, id, db.FetchRefused)
	}
	want := []string{
		"/payload/url message.json stored",
		"/payload/url#attachment/0 ../../etc/note.txt stored 35 text/plain text/plain", "/payload/url#attachment/1 scan.pdf stored 4500000 application/pdf application/pdf",
		"/payload/url#attachment/2 again.txt stored 35", "/payload/url#attachment/4 linked.txt stored 13", "/payload/url#attachment/6 elsewhere refused 0",
		"/payload/url#attachment/8 page.html stored 50 text/html text/plain", "/payload/attachments/0/url event.txt stored 18 text/plain",
	}
	got := names()
	if len(got) != len(want) {
		t.Fatalf("the files are\n%s", strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("file %d is %q, want %q", i, got[i], want[i])
		}
	}
	if n := len(o.inVault(t)); n != 6 { // the message, two of the event's and the message's links, note, scan, page: the note once
		t.Errorf("%d files are in the vault, want 6", n)
	}
	serve := func(name string) (*http.Response, string) {
		id := o.numbers(t, `SELECT id FROM download WHERE name = ?`, name)[0]
		return b.Get(t, fmt.Sprint("/files/", id))
	}
	for name, content := range map[string][]byte{"scan.pdf": large, "../../etc/note.txt": note, "again.txt": note, "linked.txt": []byte("behind a link")} {
		resp, body := serve(name)
		if resp.StatusCode != http.StatusOK || body != string(content) || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") || strings.Contains(resp.Header.Get("Content-Disposition"), "/") {
			t.Errorf("%s is served as %d %v with %d bytes", name, resp.StatusCode, resp.Header, len(body))
		}
	}
	id := o.numbers(t, `SELECT id FROM download WHERE name = 'page.html'`)[0]
	_, preview := b.Get(t, fmt.Sprint("/files/", id, "/preview"))
	holds(t, "the preview", preview, "hello", "!alert(1)", `href="/messages/1"`)

	shown := func(when string) {
		t.Helper()
		doc := page(t, b, "/messages/1")
		holds(t, when, words(doc, "main"), "From the file", "Dr. File", "Our intake", "Dear colleague,", "scan.pdf", "note.txt", "linked.txt", "event.txt", "refused: host not allowed",
			"broken.bin", "script", "did not come in a form that can be read", "sent as text/plain")
		if n := doc.Find(`ul[aria-label="Attachments"] > li`).Length(); n != 9 {
			t.Errorf("%s: %d attachments are shown, want 9", when, n)
		}
		if list := words(page(t, b, "/messages"), "#m-1"); !strings.Contains(list, "7 attachments") || !strings.Contains(list, "Dear colleague, see attached.") {
			t.Errorf("%s: the row is %s", when, list)
		}
	}
	shown("at first")
	files := fmt.Sprint(names())
	if _, err := chart.Rebuild(t.Context(), o.DB, slog.New(slog.DiscardHandler), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if again := fmt.Sprint(names()); again != files {
		t.Errorf("a rebuild changed the files\n%s\n%s", files, again)
	}
	shown("after a rebuild")
	b.Get(t, fmt.Sprint("/files/", id))
	o.Stop(t)
	o.start(t)
	b = o.SignedIn(t, "eve@clinic.example", db.Coordinator)
	shown("after a restart")
	if n := len(o.inVault(t)); n != 6 {
		t.Errorf("%d files are in the vault after a restart, want 6", n)
	}
}

// TestTheFileCompletesTheEvent: what the event says stands; what it leaves out comes with the file, live.
func TestTheFileCompletesTheEvent(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	let := make(chan struct{})
	about := `,"subject":{"reference":"Patient/p"}`
	file := `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + letterFile(about, `{"contentString":"The text"}`) + `},{"resource":{"resourceType":"Patient","id":"p","name":[{"text":"Jane Example"}],"birthDate":"1950-02-03"}},
		{"resource":{"resourceType":"Communication","id":"c-0","sent":"2026-11-19T08:00:00Z","payload":[{"contentString":"Before"},{"contentAttachment":{"title":"old.txt","data":"T2xk"}}]}}]}`
	o.take(t, []byte(`{"meta":{"messageId":"p","type":"patient.admit"},"payload":{"patientId":"p-1"}}`))
	b.Form(t, "/patients/p-1/correct", map[string][]string{"name": {"Jane Example"}, "birth_date": {"1950-02-03"}})
	ids := o.take(t, o.event("message.received", "", o.lead("/m.json", 10*time.Minute, held(let, says(file))), `,"from":"The event"`))
	var before string
	waitFor(t, "the page that says that the file is being fetched", func() bool { // which is said of what takes longer than a moment
		before = words(page(t, b, "/messages/2"), "main")
		return strings.Contains(before, "The full message is not here: fetching")
	})
	holds(t, "before", before, "Subject not yet known", "The event", "The full message is not here: fetching", "Sentnot sent", "patientIdan empty text")
	holds(t, "the row before", words(page(t, b, "/messages"), "#m-2"), "Subject not yet known", "unmatched")
	conn := o.openSocket(t, b, "view=message&id=2&since=0")
	close(let)
	o.ends(t, ids[0], db.FetchStored)
	hears(t, conn, "From the file", "The text", "old.txt")
	after := words(page(t, b, "/messages/2"), "main")
	holds(t, "after", after, "From the file", "The event", "!Dr. File", "The text", "Our intake", "1 further message in the same file", "old.txt", "Jane Example, born 3 Feb 1950",
		"The message itself speaks of “Jane Example”", "This is the patient", "took")
	// Matched, its files leave their traces with the patient.
	b.Form(t, "/messages/2/match", map[string][]string{"patient": {"p-1"}})
	id := o.numbers(t, `SELECT id FROM download WHERE name = 'old.txt'`)[0]
	if _, body := b.Get(t, fmt.Sprint("/files/", id)); body != "Old" {
		t.Errorf("the file holds %q", body)
	}
	if got := auditedPatients(t, o.Server, "download", fmt.Sprint("file ", id)); fmt.Sprint(got) != "[p-1]" {
		t.Errorf("taking the file left the traces %v", got)
	}
	if got := o.numbers(t, `SELECT count(*) FROM patient_statement`); got[0] != 0 {
		t.Error("who the patient is was taken from a message that only a person matched")
	}
}

// TestAMessageThatDidNotComeSaysSo, and one that is no message that can be read.
func TestAMessageThatDidNotComeSaysSo(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	for i, test := range []struct {
		link  string
		state db.Fetch
		want  []string
	}{
		{"https://evil.example/m", db.FetchRefused, []string{"Subject not known: the message itself did not come", "refused: host not allowed"}},
		{o.lead("/dead", time.Minute, expired), db.FetchExpired, []string{"Sender not known", "expired before we could fetch it", "text missing"}},
		{o.lead("/text", time.Hour, says("Only plain text")), db.FetchStored, []string{"not in a form that Carebell can read", "Subject not sent"}},
		{o.lead("/other", time.Hour, says(`{"resourceType":"Patient","id":"x"}`)), db.FetchStored, []string{"The message has no text.", "Subject not sent"}},
		{o.lead("/half", time.Hour, says(`{"resourceType":"Communication","topic":{"text":"half`)), db.FetchStored, []string{"not in a form that Carebell can read"}},
		{o.lead("/list", time.Hour, says(`[1,2,3]`)), db.FetchStored, []string{"not in a form that Carebell can read"}},
	} {
		ids := o.take(t, o.event("message.received", "p-1", test.link, ""))
		o.ends(t, ids[0], test.state)
		text := words(page(t, b, fmt.Sprint("/messages/", i+1)), "main") + words(page(t, b, "/messages"), fmt.Sprint("#m-", i+1))
		holds(t, test.link, text, test.want...)
	}
}
