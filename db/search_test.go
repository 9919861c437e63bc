package db

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/web/care"
)

// TestSearchFindsPartsOfEveryID: words of any length and any character, all of them, in any order and case.
func TestSearchFindsPartsOfEveryID(t *testing.T) {
	d := fresh(t)
	patients := []PatientStatement{
		{ID: "0195a2b1-7777", ExternalID: "MRN-42", Aliases: []Alias{{"athena", "99992"}, {"epic", "E%5"}}},
		{ID: "p2", ExternalID: `o"brien`, Aliases: []Alias{{"x", "a_b"}}},
		{ID: "p3", ExternalID: "x' OR '1'='1", Aliases: []Alias{{"x", `back\slash`}}},
		{ID: "p4", ExternalID: "Ünal Çağlar", Aliases: []Alias{{"x", "ÄÖ"}}},
		{ID: "p5", ExternalID: "漢字名前", Aliases: []Alias{{"x", "🔔🔔🔔"}}},
		{ID: "p6", ExternalID: "AND NOT (NEAR", Aliases: []Alias{{"x", "col:umn*"}, {"x", "-minus"}}},
		{ID: "p7"},
	}
	d.mustWrite(t, func(tx *Tx) error {
		for i, p := range patients {
			p.SentAt, p.EventAt, p.MessageID = noon, noon, fmt.Sprint(i)
			if err := tx.SavePatients(t.Context(), p); err != nil {
				return err
			}
			if err := tx.AddNotifications(t.Context(), Notification{ID: int64(i+1) * 1024, InboxSeq: int64(i + 1), Kind: care.Admit, PatientID: p.ID, EventAt: noon, ReceivedAt: noon, Moves: []care.Move{}, Facility: "Ward_" + fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	for text, want := range map[string][]int{
		"0195A2B1": {1}, "7777": {1}, "mrn-42": {1}, "42": {1}, "999": {1}, "99992 mrn": {1}, "mrn 99993": nil, "e%5": {1}, "%5": {1}, "%": {1}, "%%": nil, "%%%": nil,
		`o"b`: {2}, `"`: {2}, `""`: nil, `"brien`: {2}, "a_b": {2}, "_": {2}, "a.b": nil, "__": nil,
		"x'": {3}, "' or '": {3}, "'1'='1": {3}, `back\sl`: {3}, `\`: {3}, `\\`: nil,
		"ünal": {4}, "ÜNAL": {4}, "ün": {4}, "Ü": {4, 6}, "ğ": {4}, "äö": {4}, "ÄÖ": {4}, "çağ ün": {4},
		"漢": {5}, "漢字": {5}, "漢字名": {5}, "字名前": {5}, "🔔": {5}, "🔔🔔🔔": {5},
		"and": {6}, "AND NOT": {6}, "(near": {6}, "(": {6}, "col:umn*": {6}, "col*": nil, "*": {6}, "-minus": {6}, "-": {1, 6},
		"p": {2, 3, 4, 5, 6, 7}, "p7": {7}, "P7": {7}, "  p7  ": {7}, "nobody": nil, "x": {3},
		"\xff\xfe\xfd": nil, strings.Repeat("x", 200): nil, strings.Repeat("p ", 100): {2, 3, 4, 5, 6, 7},
		" ": {1, 2, 3, 4, 5, 6, 7}, "": {1, 2, 3, 4, 5, 6, 7},
	} {
		err := d.Read(t.Context(), func(s Snapshot) error {
			list, err := s.Patients(t.Context(), PatientFilter{Text: text, Limit: 100})
			if err != nil {
				return err
			}
			var got []int
			for _, p := range list {
				got = append(got, 1+slices.IndexFunc(patients, func(q PatientStatement) bool { return q.ID == p.ID }))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q finds the patients %v, want %v", text, got, want)
			}
			rows, err := s.Notifications(t.Context(), NotificationFilter{Text: text, Limit: 100})
			if err != nil {
				return err
			}
			for _, n := range rows { // the feed finds the same, and facilities
				if !slices.Contains(want, int(n.InboxSeq)) && !strings.Contains(strings.ToLower(n.Facility), strings.ToLower(text)) {
					t.Errorf("%q finds the notification of patient %d at %s", text, n.InboxSeq, n.Facility)
				}
			}
			if len(rows) < len(want) {
				t.Errorf("%q finds %d notifications, want %d at least", text, len(rows), len(want))
			}
			return nil
		})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"a\x00b", "abc\x00def", "\x00", "\x00\x00\x00", `"""`, `\`, "(((", "NEAR(", "^abc", "abc OR", "{a b} : c"} { // whatever it finds, it is an answer
		if err := d.Read(t.Context(), func(s Snapshot) error {
			if _, err := s.Patients(t.Context(), PatientFilter{Text: text, Limit: 10}); err != nil {
				return err
			}
			_, err := s.Notifications(t.Context(), NotificationFilter{Text: text, Limit: 10})
			return err
		}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := d.Read(t.Context(), func(s Snapshot) error {
		list, err := s.Notifications(t.Context(), NotificationFilter{Text: "ward_3", Limit: 10})
		if len(list) != 1 {
			t.Errorf("a facility finds %d notifications", len(list))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// TestSearchFollowsChanges: an id that is learned later is found, one that was replaced no longer.
func TestSearchFollowsChanges(t *testing.T) {
	d := fresh(t)
	say := func(external string, sent time.Time, aliases ...Alias) {
		d.mustWrite(t, func(tx *Tx) error {
			return tx.SavePatients(t.Context(), PatientStatement{ID: "p-1", ExternalID: external, SentAt: sent, EventAt: noon, MessageID: "m", Aliases: aliases})
		})
	}
	finds := func(text string) (n int) {
		if err := d.Read(t.Context(), func(s Snapshot) error {
			list, err := s.Patients(t.Context(), PatientFilter{Text: text, Limit: 10})
			n = len(list)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	say("first", noon)
	say("", noon.Add(time.Hour))
	if finds("first") != 1 {
		t.Error("an id that was not sent again was forgotten")
	}
	say("second", noon.Add(time.Hour), Alias{"a", "alias"})
	if finds("first") != 0 || finds("second") != 1 || finds("alias") != 1 {
		t.Errorf("first %d, second %d, alias %d", finds("first"), finds("second"), finds("alias"))
	}
	say("older", noon.Add(-time.Hour))
	if finds("older") != 0 || finds("second") != 1 {
		t.Error("what was sent earlier and came later won")
	}
	if n := d.number(t, "SELECT count(*) FROM patient_search"); n != 1 {
		t.Errorf("%d rows are searched for one patient", n)
	}
}

// TestPagesGiveEveryRowOnce, where many rows have the same time, and new rows come while somebody pages.
func TestPagesGiveEveryRowOnce(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	add := func(i int) {
		appendOne(t, in, fmt.Sprint("m-", i), "body")
		d.mustWrite(t, func(tx *Tx) error {
			at := noon.Add(time.Duration(i/9%4) * time.Hour)
			if err := tx.SavePatients(t.Context(), PatientStatement{ID: fmt.Sprint("p-", i), SentAt: at, EventAt: at, MessageID: fmt.Sprint(i)}); err != nil {
				return err
			}
			n := Notification{ID: int64(i+1) * 1024, InboxSeq: int64(i + 1), Kind: care.Kinds[i%6], PatientID: "p-0", MessageID: fmt.Sprint("m-", i), ReceivedAt: noon, Moves: []care.Move{}}
			if i%3 > 0 {
				n.EventAt = at
			}
			if i%3 == 1 {
				n.SentAt = at
			}
			return tx.AddNotifications(t.Context(), n)
		})
	}
	const rows = 83
	for i := range rows {
		add(i)
	}
	pages := map[string]func(s Snapshot) ([]string, error){}
	inboxAfter := int64(0)
	pages["the inbox"] = func(s Snapshot) (keys []string, err error) {
		list, err := s.Messages(t.Context(), InboxFilter{After: inboxAfter, Limit: 7})
		for _, m := range list {
			keys, inboxAfter = append(keys, m.MessageID), m.Seq
		}
		return keys, err
	}
	feedBefore := int64(0)
	pages["the feed"] = func(s Snapshot) (keys []string, err error) {
		list, err := s.Notifications(t.Context(), NotificationFilter{Before: feedBefore, Limit: 7})
		for _, n := range list {
			keys, feedBefore = append(keys, n.MessageID), n.ID
		}
		return keys, err
	}
	var patientBefore PatientKey
	pages["the patients"] = func(s Snapshot) (keys []string, err error) {
		list, err := s.Patients(t.Context(), PatientFilter{Before: patientBefore, Limit: 7})
		for _, p := range list {
			keys, patientBefore = append(keys, p.ID), p.Key()
		}
		return keys, err
	}
	var timelineBefore TimelineKey
	pages["the timeline"] = func(s Snapshot) (keys []string, err error) {
		list, err := s.Timeline(t.Context(), "p-0", timelineBefore, 7)
		for _, n := range list {
			keys, timelineBefore = append(keys, n.MessageID), n.TimelineKey()
		}
		return keys, err
	}
	late := rows
	for name, page := range pages {
		seen := map[string]bool{}
		for {
			var keys []string
			if err := d.Read(t.Context(), func(s Snapshot) (err error) { keys, err = page(s); return err }); err != nil {
				t.Fatal(err)
			}
			if len(keys) == 0 {
				break
			}
			for _, k := range keys {
				if seen[k] {
					t.Errorf("%s: %s comes twice", name, k)
				}
				seen[k] = true
			}
			if late < rows+8 {
				add(late)
				late++
			}
		}
		for i := range rows {
			for _, k := range []string{fmt.Sprint("m-", i), fmt.Sprint("p-", i)} {
				if strings.HasPrefix(k, "p-") == (name == "the patients") && !seen[k] {
					t.Errorf("%s: %s never comes", name, k)
				}
			}
		}
	}
}

// TestMarksAreWhoseTheyAre: the first who did something stays named, and taking back forgets it.
func TestMarksAreWhoseTheyAre(t *testing.T) {
	d := fresh(t)
	d.mustWrite(t, func(tx *Tx) error {
		for _, email := range []string{"a@clinic.example", "b@clinic.example"} {
			if _, err := tx.AddUser(t.Context(), email, Coordinator, "hash"); err != nil {
				return err
			}
		}
		return tx.AddNotifications(t.Context(), Notification{ID: 1024, InboxSeq: 1, Kind: care.Admit, PatientID: "p", ReceivedAt: noon, Moves: []care.Move{}})
	})
	known := Mark{}.Version()
	for i, step := range []struct {
		user int64
		to   State
		want string
	}{
		{1, Seen, "1 a@clinic.example -"}, {2, Seen, "1 a@clinic.example -"}, {2, Done, "2 a@clinic.example b@clinic.example"}, {1, Done, "2 a@clinic.example b@clinic.example"},
		{1, Seen, "1 a@clinic.example -"}, {1, New, "0 - -"}, {2, Done, "2 b@clinic.example b@clinic.example"},
	} {
		d.mustWrite(t, func(tx *Tx) error { return tx.MarkNotification(t.Context(), 1024, step.user, step.to, known) })
		if err := d.Read(t.Context(), func(s Snapshot) error {
			list, err := s.Notifications(t.Context(), NotificationFilter{Limit: 1})
			if err != nil {
				return err
			}
			n := list[0]
			known = n.Mark.Version()
			dash := func(s string) string { return map[bool]string{true: "-", false: s}[s == ""] }
			if got := fmt.Sprint(int(n.State), " ", dash(n.Mark.SeenBy), " ", dash(n.Mark.DoneBy)); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if n := d.number(t, "SELECT count(*) FROM change WHERE notification_id = 1024"); n != 8 {
		t.Errorf("%d changes were told, want 8", n)
	}
}

// TestChangesAreAskedForByNumber, and what is too old or unknown is said to be.
func TestChangesAreAskedForByNumber(t *testing.T) {
	d := fresh(t)
	for range 30 {
		d.mustWrite(t, func(tx *Tx) error { return tx.changed(t.Context(), "p", 1024) })
	}
	ask := func(since, head int64, limit int) (n int, err error) {
		err = d.Read(t.Context(), func(s Snapshot) error {
			list, err := s.Changes(t.Context(), since, head, limit)
			n = len(list)
			return err
		})
		return n, err
	}
	for _, q := range []struct {
		since, head int64
		limit       int
		far         bool
		want        int
	}{{30, 30, 10, false, 0}, {29, 30, 10, false, 1}, {20, 30, 10, false, 1}, {19, 30, 10, true, 0}, {31, 30, 10, true, 0}, {-1, 30, 100, true, 0}, {0, 30, 30, false, 1}, {-1 << 63, 30, 100, true, 0}, {1<<63 - 1, 30, 100, true, 0}} {
		if n, err := ask(q.since, q.head, q.limit); (err != nil) != q.far || n != q.want {
			t.Errorf("%+v: %d, %v", q, n, err)
		}
	}
	d.mustWrite(t, func(tx *Tx) error { // far more than are kept
		_, err := tx.exec(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) INSERT INTO change (patient_id) SELECT 'q' FROM n`)
		if err != nil {
			return err
		}
		return tx.PruneChanges(t.Context())
	})
	if n := d.number(t, "SELECT count(*) FROM change"); n != 20_000 {
		t.Errorf("%d changes are kept", n)
	}
	if _, err := ask(30, 25_030, 1_000_000); err == nil {
		t.Error("changes that were forgotten are not missed")
	}
	if _, err := ask(5030, 25_030, 1_000_000); err != nil {
		t.Errorf("the oldest that are kept: %v", err)
	}
}

// TestPatientsAreFoundByWhatCallersGive: birth dates and phone numbers in every usual spelling, names in both orders, without
// accents or with them, ids in any case.
func TestPatientsAreFoundByWhatCallersGive(t *testing.T) {
	d := fresh(t)
	people := []Identity{
		{PatientID: "p-zoe", Name: "Zoë Núñez", BirthDate: "1962-03-14", Phone: "(312) 555-0134"},
		{PatientID: "p-soren", Name: "Søren Sample", BirthDate: "2022-03-14", Phone: "+1 312-555-0199 x12"},
		{PatientID: "p-ann", Name: "Ann Sample", BirthDate: "1962-04-03", Phone: "5550134"},
		{PatientID: "p-day", Name: "Day Example", BirthDate: "1970-12-25", Phone: "+44 20 7946 0958"},
		{PatientID: "p-digits", Name: "Digits Example"},
	}
	d.mustWrite(t, func(tx *Tx) error {
		for i, p := range people {
			external := fmt.Sprintf("MRN-a%d", i)
			if p.PatientID == "p-digits" {
				external = "0555-0134-19620314"
			}
			message := fmt.Sprint(i)
			if _, err := tx.exec(t.Context(), `INSERT INTO inbox (seq, message_id, request_id, type, received_at, key_id, body, body_form, body_size, body_sha256, chain)
				VALUES (?, ?, '', 'patient.admit', 0, '', x'7b7d', 0, 2, x'00', x'00')`, i+1, message); err != nil {
				return err
			}
			if err := tx.SavePatients(t.Context(), PatientStatement{ID: p.PatientID, ExternalID: external, MessageID: message, SentAt: noon, EventAt: noon}); err != nil {
				return err
			}
			if err := tx.SaveIdentity(t.Context(), int64(i+1), p); err != nil {
				return err
			}
		}
		return nil
	})
	zoe := []string{"p-zoe"}
	for text, want := range map[string][]string{
		"3/14/1962": zoe, "03/14/1962": zoe, "3-14-1962": zoe, "3.14.1962": zoe, "1962-03-14": zoe, "1962/3/14": zoe, "14/3/1962": zoe,
		"14 Mar 1962": zoe, "14-Mar-1962": zoe, "14 march 62": {"p-zoe"}, "March 14 1962": zoe, "march 14, 1962": zoe, "Mar. 14th, 1962": zoe,
		"19620314": {"p-digits", "p-zoe"}, "03141962": zoe, "03-14-62": zoe, "03-14-22": {"p-soren"}, "3/14/1963": nil, "13/13/1962": nil,
		"4/3/1962": {"p-ann"}, "25/12/1970": {"p-day"}, "1962-03": zoe, "nunez 3/14/1962": zoe, "sample 3/14/1962": nil, "3/14/1962, zoe": zoe,
		"(312) 555-0134": zoe, "312.555.0134": zoe, "312 555 0134": zoe, "3125550134": zoe, "13125550134": zoe, "+1 312 555 0134": zoe, "+13125550134": zoe, "1-312-555-0134": zoe,
		"+1 312": {"p-soren", "p-zoe"}, "555-0134": {"p-ann", "p-digits", "p-zoe"}, "555 0134": {"p-ann", "p-zoe"}, "5550134": {"p-ann", "p-zoe"}, "zoe 0134": zoe, "0134 nunez": zoe,
		"312-555-0199": {"p-soren"}, "+44 20 7946 0958": {"p-day"}, "zoe 555-0134": zoe, "312-555-0135": nil,
		"zoe": zoe, "ZOË": zoe, "Nunez": zoe, "núñez": zoe, "NUÑEZ, Zoe": zoe, "zoe nunez": zoe, "Núñez,zoë": nil, "soren": {"p-soren"}, "Sample, Ann": {"p-ann"},
		"mrn-A0": zoe, "MRN-a2": {"p-ann"},
	} {
		err := d.Read(t.Context(), func(s Snapshot) error {
			list, err := s.Patients(t.Context(), PatientFilter{Text: text, Limit: 100})
			var got []string
			for _, p := range list {
				got = append(got, p.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q finds %q, want %q", text, got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A birth date that is corrected is found as it is now.
	d.mustWrite(t, func(tx *Tx) error {
		if _, err := tx.AddUser(t.Context(), "ann@clinic.example", Coordinator, "x"); err != nil {
			return err
		}
		return tx.CorrectPatient(t.Context(), 1, "p-zoe", "birth_date", "1962-05-05")
	})
	if err := d.Read(t.Context(), func(s Snapshot) error {
		now, err := s.Patients(t.Context(), PatientFilter{Text: "5/5/62", Limit: 9})
		if len(now) != 1 {
			t.Error("a corrected birth date does not find its patient")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
