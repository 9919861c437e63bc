package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web/chart"
	"carebell/web/webtest"
)

// inbound posts a message that came in; its page is /messages/<number of the post>.
func inbound(t testing.TB, s *webtest.Server, id string, payload map[string]any) {
	t.Helper()
	mailEvent(t, s, id, "message.received", "2026-11-20T10:00:00Z", payload)
}

func mailEvent(t testing.TB, s *webtest.Server, id, kind, when string, payload map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"meta": map[string]any{"messageId": id, "when": when, "type": kind}, "payload": payload})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := s.Post(t, body); status != http.StatusOK {
		t.Fatalf("a signed message is answered %d %s", status, answer)
	}
	s.Settled(t)
}

type said = map[string]any

func parse(t testing.TB, page string) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// words are a part of a page as people read it.
func words(doc *goquery.Document, css string) string {
	return strings.Join(strings.Fields(doc.Find(css).Text()), " ")
}

// holds fails where a text has none of the words that it must have, or one that it must not have ("!word").
func holds(t testing.TB, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if not, ok := strings.CutPrefix(w, "!"); ok {
			if strings.Contains(text, not) {
				t.Errorf("%s has %q: %.600s", what, not, text)
			}
		} else if !strings.Contains(text, w) {
			t.Errorf("%s has no %q: %.600s", what, w, text)
		}
	}
}

// page reads a page that must be there.
func page(t testing.TB, b *webtest.Browser, path string) *goquery.Document {
	t.Helper()
	resp, body := b.Get(t, path)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d: %s", path, resp.StatusCode, body)
	}
	return parse(t, body)
}

func audits(t testing.TB, s *webtest.Server, action, object string) (patients []string) {
	t.Helper()
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(t.Context(), `SELECT patient_id FROM audit WHERE action = ? AND object = ? ORDER BY id`, action, object)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var p string
			if err := rows.Scan(&p); err != nil {
				return err
			}
			patients = append(patients, p)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return patients
}

// TestAMessageIsReadAssignedAnswered, by whom and when, in a list, on its page, with the counter beside the navigation.
func TestAMessageIsReadAssignedAnswered(t *testing.T) {
	s := webtest.Start(t)
	viewer, ann, bob := s.SignedIn(t, "viewer@clinic.example", db.Viewer), s.SignedIn(t, "ann@clinic.example", db.Coordinator), s.SignedIn(t, "bob@clinic.example", db.Admin)
	inbound(t, s, "a", said{"id": "m-1", "patientId": "p-1", "subject": "Oxygen at home", "from": "Birchwood General", "sentAt": "2026-11-20T09:58:00Z"})
	count := func(want string) {
		t.Helper()
		if got := words(page(t, bob, "/patients"), "#nav-unread:not([hidden])"); got != want {
			t.Errorf("the counter says %q, want %q", got, want)
		}
	}
	state := func(b *webtest.Browser, want ...string) {
		t.Helper()
		holds(t, "the row", words(page(t, b, "/messages?state=all"), "#m-1 .who"), want...)
	}
	do := func(b *webtest.Browser, act, known string) (int, string) {
		t.Helper()
		resp, body := b.Form(t, "/messages/1/mark", url.Values{"do": {act}, "known": {known}})
		return resp.StatusCode, body
	}
	count("1not read")
	page(t, viewer, "/messages/1")
	count("1not read") // a viewer does not act, and so does not read for others
	state(viewer, "new", "!Assign", "!Answered")
	if _, body := viewer.Get(t, "/messages/1"); strings.Contains(body, "/mark") || strings.Contains(body, "match") {
		t.Error("a viewer gets something to press")
	}
	page(t, ann, "/messages/1")
	count("")
	page(t, bob, "/messages/1")
	state(bob, "read by ann", "Assign to me", "Mark unread") // the first reader stays
	if code, _ := do(viewer, "assign", "0"); code != http.StatusForbidden {
		t.Errorf("a viewer assigns: %d", code)
	}
	if code, _ := do(bob, "unread", "0"); code != http.StatusSeeOther {
		t.Errorf("mark unread answers %d", code)
	}
	count("1not read")
	if code, _ := do(ann, "assign", "0"); code != http.StatusSeeOther {
		t.Errorf("assign answers %d", code)
	}
	state(ann, "assigned to ann", "Unassign")
	state(bob, "assigned to ann", "Take over", "!Unassign")

	// Bob saw it before Ann took it: hers stays, and he is told.
	code, body := do(bob, "assign", "0")
	if code != http.StatusConflict {
		t.Errorf("taking what Ann has answers %d", code)
	}
	holds(t, "the answer", body, "ann@clinic.example has this message since", "Nothing was changed")
	state(bob, "assigned to ann")
	ids := map[string]string{}
	for _, email := range []string{"ann", "bob"} {
		_ = s.DB.Read(t.Context(), func(v db.Snapshot) error {
			u, err := v.UserByEmail(t.Context(), email+"@clinic.example")
			ids[email] = fmt.Sprint(u.ID)
			return err
		})
	}
	if code, _ := do(bob, "unassign", "0"); code != http.StatusConflict {
		t.Errorf("giving back what Ann has answers %d", code)
	}
	if code, _ := do(bob, "assign", ids["ann"]); code != http.StatusSeeOther { // he has seen that she has it
		t.Errorf("taking over answers %d", code)
	}
	if code, _ := do(ann, "unassign", ids["ann"]); code != http.StatusConflict {
		t.Errorf("Ann gives back what Bob has: %d", code)
	}
	if code, _ := do(ann, "answered", ids["ann"]); code != http.StatusSeeOther {
		t.Errorf("answered answers %d", code)
	}
	state(bob, "answered by ann", "Undo", "!Assign")
	do(bob, "answered", ids["bob"])
	state(bob, "answered by ann") // the first stays
	holds(t, "the open list", words(page(t, bob, "/messages"), "#messages"), "No open message")
	holds(t, "the page", words(page(t, bob, "/messages/1"), "#message-actions"), "answered by ann", "assigned to bob")
	do(bob, "reopen", ids["bob"])
	state(bob, "assigned to bob")
	holds(t, "Bob's list", words(page(t, bob, "/messages?by=me"), "#messages"), "Oxygen at home")
	holds(t, "Ann's list", words(page(t, ann, "/messages?by=me"), "#messages"), "!Oxygen at home")
	do(bob, "unassign", ids["bob"])
	if code, _ := do(ann, "unassign", ids["bob"]); code != http.StatusSeeOther { // nobody has it: there is nothing to give back
		t.Errorf("giving back what nobody has answers %d", code)
	}
	state(bob, "read by bob")
	if n := len(audits(t, s, "mark", "message 1")); n != 8 {
		t.Errorf("%d marks left a trace, want 8", n)
	}
	if got := audits(t, s, "view", "message 1"); len(got) < 4 || got[0] != "p-1" {
		t.Errorf("the looks at it left the traces %v", got)
	}

	// The answer to a press is the row, or the head of the page, as it is now.
	for on, want := range map[string]string{"": `id="m-1"`, "?on=page": `id="message-actions"`} {
		resp, body := bob.Send(t, http.MethodPost, "/messages/1/mark"+on, strings.NewReader("do=assign&known=0"),
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Hx-Request": {"true"}})
		if resp.StatusCode != http.StatusOK {
			t.Errorf("pressing answers %d", resp.StatusCode)
		}
		holds(t, "the answer", body, want, "assigned to bob", "!<html")
	}
	resp, body := ann.Send(t, http.MethodPost, "/messages/1/mark", strings.NewReader("do=assign&known=0"),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Hx-Request": {"true"}})
	if resp.StatusCode != http.StatusConflict || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("the page's script gets %d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
}

// TestAnUnmatchedMessageIsMatchedByAPerson, which survives a rebuild and can be taken back.
func TestAnUnmatchedMessageIsMatchedByAPerson(t *testing.T) {
	s := webtest.Start(t)
	ann, bob := s.SignedIn(t, "ann@clinic.example", db.Coordinator), s.SignedIn(t, "bob@clinic.example", db.Coordinator)
	for _, id := range []string{"p-1", "p-2"} {
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"type":"patient.admit"},"payload":{"patientId":%q,"externalId":"EXT-%[2]s"}}`, id, id))
	}
	s.Settled(t)
	ann.Form(t, "/patients/p-1/correct", url.Values{"name": {"Jane Example"}, "birth_date": {"1950-02-03"}})
	inbound(t, s, "a", said{"subject": "About whom?"})
	inbound(t, s, "b", said{"subject": "Named", "patientId": "p-2"})
	holds(t, "the tray", words(page(t, ann, "/messages?only=unmatched"), "#messages"), "About whom?", "unmatched", "!Named")
	holds(t, "the page", words(page(t, ann, "/messages/3"), "main"), "Who is this about?", "the sender named no patient")
	holds(t, "without scripts", words(page(t, ann, "/messages/3?q=jane"), "#match"), "Jane Example", "3 Feb 1950", "EXT-p-1", "!EXT-p-2")
	_, found := ann.Get(t, "/messages/3/match?q=example")
	holds(t, "while typing", found, "Jane Example", "3 Feb 1950", `value="p-1"`, "!<html")
	if _, none := ann.Get(t, "/messages/3/match?q=%3Cb%3Ezzz"); !strings.Contains(none, "Nobody fits “&lt;b&gt;zzz”") {
		t.Errorf("a search for nobody gives %s", none)
	}
	if got := audits(t, s, "search", "message 3"); len(got) != 2 {
		t.Errorf("%d searches left a trace", len(got))
	}
	match := func(b *webtest.Browser, message, patient string) int {
		t.Helper()
		resp, _ := b.Form(t, "/messages/"+message+"/match", url.Values{"patient": {patient}})
		return resp.StatusCode
	}
	for _, test := range []struct {
		message, patient string
		want             int
	}{{"3", "nobody", 404}, {"3", "", 422}, {"9", "p-1", 404}, {"4", "p-1", 409}, {"3", "p-1", 303}, {"3", "p-1", 303}} {
		if got := match(ann, test.message, test.patient); got != test.want {
			t.Errorf("matching %s with %q answers %d, want %d", test.message, test.patient, got, test.want)
		}
	}
	resp, body := bob.Form(t, "/messages/3/match", url.Values{"patient": {"p-2"}})
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("matching it with another answers %d", resp.StatusCode)
	}
	holds(t, "the answer", body, "ann@clinic.example has matched this message with another patient since")
	shown := func(when string) {
		t.Helper()
		doc := page(t, bob, "/messages/3")
		holds(t, when, words(doc, "#message-head"), "Jane Example", "matched by ann", "Undo the match")
		holds(t, when+", the patient", words(page(t, bob, "/patients/p-1"), "main"), "About whom?")
		holds(t, when+", the other", words(page(t, bob, "/patients/p-2"), "main"), "!About whom?", "Named")
		holds(t, when+", the tray", words(page(t, bob, "/messages?only=unmatched"), "#messages"), "!About whom?")
		holds(t, when+", found by the patient", words(page(t, bob, "/messages?q=jane"), "#messages"), "About whom?", "!Named")
	}
	shown("matched")
	state := words(page(t, bob, "/messages?state=all"), "#m-3 .who")
	if _, err := chart.Rebuild(t.Context(), s.DB, slog.New(slog.DiscardHandler), func(int) {}); err != nil {
		t.Fatal(err)
	}
	shown("after a rebuild")
	if again := words(page(t, bob, "/messages?state=all"), "#m-3 .who"); again != state || !strings.Contains(state, "read by ann") {
		t.Errorf("who read it was %q and is %q", state, again)
	}
	if resp, _ := bob.Form(t, "/messages/3/match", url.Values{"undo": {"yes"}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("undo answers %d", resp.StatusCode)
	}
	holds(t, "after the undo", words(page(t, bob, "/messages?only=unmatched"), "#messages"), "About whom?")
	holds(t, "after the undo, the patient", words(page(t, bob, "/patients/p-1"), "main"), "!About whom?")
	if got := audits(t, s, "match", "message 3"); fmt.Sprint(got) != "[p-1 p-1]" {
		t.Errorf("the matches left the traces %v", got)
	}
	if got := audits(t, s, "unmatch", "message 3"); fmt.Sprint(got) != "[p-1]" {
		t.Errorf("the undo left the traces %v", got)
	}
	if match(bob, "3", "p-2") != http.StatusSeeOther {
		t.Error("it cannot be matched anew")
	}
}

const evil = `<script>alert(1)</script><img src=x onerror=alert(1)>"'`

// TestAMessageSaysEverything: whatever the event says is on the page, by its own name, and nothing of it is markup.
func TestAMessageSaysEverything(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "ann@clinic.example", db.Coordinator)
	secret := "https://bucket.s3.amazonaws.com/file.json?X-Amz-Signature=canary-signature"
	inbound(t, s, "odd", said{
		"id": "m-1", "subject": "  Two\n lines " + evil, "from": said{"name": "Dr. Object " + evil, "org": nil}, "sender": "second sender", "destination": "to@direct.example",
		"body": "First line\nSecond line " + evil, "network": "EHEX", "transportMethod": "xdr", "intendedRecipientNpi": []any{"1234567890", 42},
		"sentAt": "yesterday", "url": secret, "status": "completed", "direction": "sideways", "updatedAt": "2026-11-20T09:00:00Z",
		"externalId": "EXT-7", "additionalIds": said{"mrn": []any{"A", "B"}}, "priority " + evil: 3.50, "urgent": true, "nothing": nil, "empty": said{}, "none": []any{},
		"deep": said{"er": []any{said{"x": 1}, said{"y": []any{"p", "q"}}, "plain"}}, "long": strings.Repeat("wörd ", 5000), "attachments": "two of them",
		"links": []any{secret, "https://plain.example/page"},
	})
	doc := page(t, b, "/messages/1")
	fields := map[string]string{}
	doc.Find("dl.facts > div").Each(func(_ int, e *goquery.Selection) {
		fields[strings.TrimSpace(e.Find("dt").Text())] = strings.Join(strings.Fields(e.Find("dd").Text()), " ")
	})
	for name, want := range map[string]string{
		"From": "second sender", "To": "to@direct.exampleNPI 1234567890NPI 42", "Network": "EHEX", "Transport": "xdr", "Message id": "m-1", "Sent": "not sent",
		"from › name": "Dr. Object " + evil, "from › org": "null", "sentAt": "yesterday", "status": "completed", "direction": "sideways", "updatedAt": "2026-11-20T09:00:00Z",
		"externalId": "EXT-7", "additionalIds › mrn": "A, B", "priority " + evil: "3.5", "urgent": "yes", "nothing": "null", "empty": "nothing", "none": "an empty list",
		"deep › er 1 › x": "1", "deep › er 2 › y": "p, q", "deep › er 3": "plain", "attachments": "two of them",
		"links": "https://bucket.s3.amazonaws.com/file.json (a link; the rest of it is a secret), https://plain.example/page",
	} {
		if fields[name] != want {
			t.Errorf("%s is %q, want %q", name, fields[name], want)
		}
	}
	for _, twice := range []string{"id", "destination", "network", "transportMethod", "intendedRecipientNpi", "body", "url", "sender"} {
		if text, ok := fields[twice]; ok {
			t.Errorf("%s is said twice: %q", twice, text)
		}
	}
	holds(t, "a long field", fields["long"], "there is more in the message itself")
	if got := doc.Find("#message .text").Text(); got != "First line\nSecond line "+evil {
		t.Errorf("the text is %q", got)
	}
	if got := doc.Find("h1").Text(); got != "Two lines "+evil {
		t.Errorf("the subject is %q", got)
	}
	for _, path := range []string{"/messages/1", "/messages", "/messages?q=lines"} {
		resp, body := b.Get(t, path)
		holds(t, path, body, "!canary-signature", "!<script>alert", "!<img")
		if title := parse(t, body).Find("title").Text(); strings.Contains(title, "lines") || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %q", path, resp.StatusCode, title)
		}
	}

	// The less an event says, the more is said to be missing, and nothing is lost where nothing is of a known shape.
	for i, test := range []struct {
		payload string
		want    []string
	}{
		{`{}`, []string{"Subject not sent", "Sender not sent", "unmatched", "The sender sent no text, and no link"}},
		{`{"subject":null,"from":[],"body":{"a":"b"},"patientId":{"no":"string"}}`, []string{"Subject not sent", "body › a", "patientId › no", "from", "an empty list"}},
		{`{"subject":17,"from":5,"intendedRecipientNpi":"99","id":{"x":"y"}}`, []string{"17", "NPI 99", "id › x"}},
		{`{"intendedRecipientNpi":[{"npi":"7"}],"sentAt":{"at":"noon"}}`, []string{"intendedRecipientNpi 1 › npi", "sentAt › at", "noon"}},
		{`{"a":{"a":{"a":{"a":{"a":{"a":["deep"]}}}}}}`, []string{"a › a › a › a › a › a", "deep"}},
		{`{"url":"javascript:alert(1)"}`, []string{"The full message is not here"}},
		{`{"subject":"nul \u0000 and half \ud83d","body":"` + strings.Repeat("very long ", 100_000) + `"}`, []string{"nul", "and half", "very long very long", "there is more in the message itself"}},
	} {
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"odd-%d","type":"message.received","requestId":"r-9","data":{"ticket":"TOC-1"}},"payload":%s,"beside":{"it":"too"}}`, i, test.payload))
		s.Settled(t)
		text := words(page(t, b, fmt.Sprint("/messages/", i+2)), "main")
		holds(t, test.payload, text, append(test.want, "meta › requestId", "r-9", "meta › data › ticket", "TOC-1", "beside › it")...)
	}
}

// TestSentMessagesAreOneRowEach, whatever order their events came in.
func TestSentMessagesAreOneRowEach(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	tell := func(id, when string, payload said) { mailEvent(t, s, id, "message.status", when, payload) }
	// Delivered at last, told before the failure that came before it.
	tell("e-2", "2026-11-20T10:30:00Z", said{"id": "out-1", "patientId": "p-1", "status": "completed", "sentAt": "2026-11-20T10:00:00Z", "completedAt": "2026-11-20T10:20:00Z", "retry": 1})
	tell("e-1", "2026-11-20T10:10:00Z", said{"id": "out-1", "patientId": "p-1", "status": "failed", "sentAt": "2026-11-20T10:00:00Z", "completedAt": "2026-11-20T10:05:00Z", "reason": "503 at first"})
	tell("e-3", "2026-11-20T11:00:00Z", said{"id": "out-2", "patientId": "p-2", "status": "failed", "sentAt": "2026-11-20T11:00:00Z", "completedAt": "2026-11-20T11:00:40Z", "reason": "No such inbox " + evil + strings.Repeat(" why", 1200)})
	tell("e-4", "2026-11-20T11:00:00Z", said{"status": "queued" + evil})
	tell("e-5", "2026-11-20T11:00:00Z", said{})
	tell("e-6", "2026-11-20T11:00:00Z", said{"id": "out-6", "status": nil, "sentAt": "never"})
	rows := map[string]string{}
	page(t, b, "/messages?box=outbound").Find("#messages .row").Each(func(_ int, e *goquery.Selection) {
		id, _ := e.Attr("id")
		rows[id] = strings.Join(strings.Fields(e.Text()), " ")
	})
	if len(rows) != 5 {
		t.Errorf("%d rows, want 5: %v", len(rows), rows)
	}
	holds(t, "the first", rows["m-1"], "out-1", "Delivered", "took 20 min", "!503")
	holds(t, "the failed one", rows["m-3"], "Failed", "took 40 s", "No such inbox", evil)
	holds(t, "an unknown state", rows["m-4"], "without an id", "queued", "patient not sent", "send time not sent")
	holds(t, "no state", rows["m-5"], "Status not sent", "patient not sent")
	holds(t, "the page of the first", words(page(t, b, "/messages/sent/1"), "main"), "Delivered", "503 at first", "Failed", "retry")
	holds(t, "the page of the odd one", words(page(t, b, "/messages/sent/6"), "main"), "sentAt", "never", "Status not sent")
	for filter, want := range map[string]string{"state=failed": "[m-3]", "state=delivered": "[m-1]", "state=other": "[m-6 m-5 m-4]", "q=inbox": "[m-3]", "q=out-1": "[m-1]", "q=zzz": "[]"} {
		got := []string{}
		page(t, b, "/messages?box=outbound&"+filter).Find("#messages .row").Each(func(_ int, e *goquery.Selection) { id, _ := e.Attr("id"); got = append(got, id) })
		if fmt.Sprint(got) != want {
			t.Errorf("%s shows %v, want %s", filter, got, want)
		}
	}
	holds(t, "the patient's page", words(page(t, b, "/patients/p-2"), "main"), "Messages", "Failed", "No such inbox")
	if _, body := b.Get(t, "/messages?box=outbound"); strings.Contains(body, "<script>alert") || strings.Contains(body, "/mark") {
		t.Error("the list of sent messages runs what came, or has something to press")
	}
	if got := audits(t, s, "view", "message 1"); fmt.Sprint(got) != "[p-1]" {
		t.Errorf("the look left the traces %v", got)
	}
	_, body := b.Get(t, "/messages?box=outbound&format=csv")
	table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || len(table) != 6 || table[5][2] != "Delivered" {
		t.Errorf("the file has %d rows (%v): %.300q", len(table), err, table)
	}
}

// TestTheListOfMessagesIsPagedFilteredAndTaken: more than a page, each once, in order; words that are not known get a
// sentence; cells are harmless.
func TestTheListOfMessagesIsPagedFilteredAndTaken(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "ann@clinic.example", db.Coordinator)
	const n = 120
	for i := range n {
		subject := fmt.Sprintf("=SUM(%03d)", i)
		if i%3 == 0 {
			subject = fmt.Sprintf("Über Ärzte %03d", i)
		}
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","type":"message.received"},"payload":{"subject":%q,"from":"@sender %03[1]d"}}`, i, subject))
	}
	s.Settled(t)
	var keys []string
	for path := "/messages"; path != ""; {
		doc := page(t, b, path)
		doc.Find("#messages .row").Each(func(_ int, e *goquery.Selection) { k, _ := e.Attr("data-key"); keys = append(keys, k) })
		path, _ = doc.Find("#older a").Attr("href")
	}
	if len(keys) != n || keys[0] != fmt.Sprint(n) || keys[n-1] != "1" {
		t.Errorf("%d rows from %s to %s", len(keys), keys[0], keys[len(keys)-1])
	}
	for q, want := range map[string]int{"über": n / 3, "ÄRZTE": n / 3, "sender 007": 1, "sum(": n - n/3, "%": 0, `"`: 0, "ü 003": 1, "nobody": 0} {
		doc := page(t, b, "/messages?format=&q="+url.QueryEscape(q))
		if got := doc.Find("#messages .row").Length(); got != min(want, 50) {
			t.Errorf("%q finds %d, want %d", q, got, min(want, 50))
		}
	}
	_, body := b.Get(t, "/messages?format=csv&q=sum")
	table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || len(table) != n-n/3+1 {
		t.Fatalf("the file has %d rows (%v)", len(table), err)
	}
	for _, row := range table[1:] {
		if !strings.HasPrefix(row[2], "'@") || !strings.HasPrefix(row[3], "'=") {
			t.Fatalf("a spreadsheet runs %q", row)
		}
	}
	for _, path := range []string{"box=x", "state=x", "state=failed", "only=x", "by=x", "box=outbound&state=open", "box=outbound&only=unmatched", "before=x", "before=-1", "q=" + strings.Repeat("x", 300)} {
		if resp, body := b.Get(t, "/messages?"+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d %s", path, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/messages/0", "/messages/x", "/messages/-1", "/messages/999", "/messages/sent/1", "/messages/1/", "/messages/sent/"} {
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d", path, resp.StatusCode)
		}
	}
}

// TestMessagesOfOneConversationStandTogether: by subject and patient, or because one answers the other.
func TestMessagesOfOneConversationStandTogether(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "ann@clinic.example", db.Coordinator)
	inbound(t, s, "1", said{"id": "a", "patientId": "p-1", "subject": "Oxygen  at home"})
	inbound(t, s, "2", said{"id": "b", "patientId": "p-1", "subject": "RE: Fwd: AW: oxygen at home"})
	inbound(t, s, "3", said{"id": "c", "patientId": "p-2", "subject": "Oxygen at home"})
	inbound(t, s, "4", said{"id": "d", "patientId": "p-1", "subject": "Other words", "inResponseTo": "Communication/b"})
	inbound(t, s, "5", said{"id": "e", "patientId": "p-1", "subject": ""})
	inbound(t, s, "6", said{"id": "f", "patientId": "p-1"})
	inbound(t, s, "7", said{"id": "g", "subject": "Oxygen at home"})
	mailEvent(t, s, "8", "message.status", "2026-11-20T10:00:00Z", said{"id": "out", "patientId": "p-1", "status": "completed"})
	inbound(t, s, "9", said{"id": "h", "patientId": "p-1", "subject": "Thanks", "inResponseTo": "out"})
	for id, want := range map[string]string{"1": "[/messages/2]", "2": "[/messages/4 /messages/1]", "4": "[/messages/2]", "3": "[]", "5": "[]", "7": "[]", "9": "[/messages/sent/8]", "sent/8": "[/messages/9]"} {
		got := []string{}
		page(t, b, "/messages/"+id).Find(`ul[aria-label="Same conversation"] a`).Each(func(_ int, e *goquery.Selection) { to, _ := e.Attr("href"); got = append(got, to) })
		if fmt.Sprint(got) != want {
			t.Errorf("with %s stand %v, want %s", id, got, want)
		}
	}
}

// TestMessagesArriveLive: the row on an open list, the counter on every open page, and what others did.
func TestMessagesArriveLive(t *testing.T) {
	s := webtest.Start(t)
	ann, bob := s.SignedIn(t, "ann@clinic.example", db.Coordinator), s.SignedIn(t, "bob@clinic.example", db.Coordinator)
	list := mustDial(t, s, bob, "view=messages&since=0")
	feed := mustDial(t, s, bob, "view=feed&since=0")
	sent := mustDial(t, s, bob, "view=messages&box=outbound&since=0")
	inbound(t, s, "a", said{"subject": "Here at once"})
	hears(t, list, `id="m-1"`, "Here at once", `hx-target="#messages"`, `hx-swap="rows"`)
	hears(t, feed, `id="nav-unread" class="count">1<`)
	detail := mustDial(t, s, bob, "view=message&id=1&since=0")
	page(t, ann, "/messages/1")
	hears(t, list, "read by ann")
	hears(t, feed, `id="nav-unread" class="count" hidden`)
	ann.Form(t, "/messages/1/mark", url.Values{"do": {"assign"}, "known": {"0"}})
	hears(t, detail, "assigned to ann", "Take over", `hx-target="#message-head"`)
	ann.Form(t, "/messages/1/mark", url.Values{"do": {"answered"}, "known": {"0"}})
	hears(t, list, "data-fits-not", "answered by ann")
	mailEvent(t, s, "b", "message.status", "2026-11-20T10:00:00Z", said{"id": "out", "status": "failed", "reason": "Why it failed"})
	hears(t, sent, "Why it failed", `id="m-2"`)
}
