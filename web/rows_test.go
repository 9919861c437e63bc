package web

import (
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// now is a morning in Chicago.
var now = time.Date(2026, 5, 1, 15, 0, 0, 0, time.UTC)

func wordsIn(t *testing.T, zone string) wording {
	t.Helper()
	in, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return wording{Clock: views.Clock{Now: now, Zone: in}, fetch: func(d db.Download) string { return string(d.State) }}
}

// What stands behind a notification.
var (
	stored  = db.Download{ID: 1, State: db.FetchStored}
	waiting = db.Download{ID: 1, State: db.FetchQueued}
	gone    = db.Download{ID: 1, State: db.FetchRemoved}
)

// shown is a row in one line: the fact, in brackets where it says what is not known, the flags, the detail.
func shown(r views.Row) string {
	out := r.Fact
	if !r.FactKnown {
		out = "(" + out + ")"
	}
	for _, f := range r.Flags {
		out += " [" + f.Text + "]"
		if f.Tone == "warn" || f.Tone == "crit" {
			out = strings.TrimSuffix(out, "]") + "!]"
		}
	}
	if r.Detail != "" {
		out += " / " + r.Detail
	}
	return out
}

func stayWith(kind care.Kind, e care.Encounter) db.Notification {
	return db.Notification{Kind: kind, Record: stored, EventAt: now, Facts: care.Facts{Read: true, Encounter: &e}}
}

// TestRowsOfStays says the words of admits, transfers, discharges and their summaries.
func TestRowsOfStays(t *testing.T) {
	read := care.Facts{Read: true}
	whole := care.Encounter{
		Facility: "Larkspur Community Hospital", Class: "inpatient", Reasons: []string{"Shortness of breath", "Cough"}, Diagnoses: []string{"Heart failure"},
		Attending: "Dr. Sample Attending", Disposition: "Home", Exchange: "BAMBOO",
	}
	seen := care.Encounter{Facility: "Larkspur", Diagnoses: []string{"Heart failure"}, SeenBy: []string{"Dr. A", "Dr. B"}, Exchange: "hixny"}
	days := func(n db.Notification, admit, discharge time.Time) db.Notification {
		n.AdmitAt, n.DischargeAt, n.EventAt = admit, discharge, discharge
		return n
	}
	move := care.Move{At: 1, From: "ED", FromType: "emergency", To: "4 West", ToType: "ward"}
	for name, test := range map[string]struct {
		n    db.Notification
		want string
	}{
		"an admit":                          {stayWith(care.Admit, whole), "Shortness of breath / Larkspur Community Hospital · inpatient · Dr. Sample Attending · Bamboo"},
		"an admit with a diagnosis":         {stayWith(care.Admit, seen), "Heart failure / Larkspur · seen by Dr. A, Dr. B · hixny"},
		"an admit without anything":         {stayWith(care.Admit, care.Encounter{}), "(Reason not sent) / facility not sent"},
		"an admit without an encounter":     {db.Notification{Kind: care.Admit, Record: stored, Facts: read}, "(Reason not sent) / facility not sent"},
		"its record comes":                  {db.Notification{Kind: care.Admit, Record: waiting}, "(Reason not yet known) / facility and class not yet known · record queued"},
		"its record was never sent":         {db.Notification{Kind: care.Admit}, "(Reason not sent) / no record sent"},
		"its record cannot be read":         {db.Notification{Kind: care.Admit, Record: stored}, "(Reason not known) / record stored, but not readable"},
		"its record is gone, unread":        {db.Notification{Kind: care.Admit, Record: gone}, "(Reason not known) / record removed"},
		"its record is gone, and was read":  {db.Notification{Kind: care.Admit, Record: gone, Facts: read}, "(Reason not sent) / facility not sent · record removed"},
		"an admit that is a test":           {db.Notification{Kind: care.Admit, Test: true, TwinOf: 7}, "(Reason not sent) [test event] / no record sent"},
		"an admit that came again":          {db.Notification{Kind: care.Admit, TwinOf: 7}, "(Reason not sent) [sent again as a new message] / no record sent"},
		"a discharge":                       {days(stayWith(care.Discharge, whole), now.Add(-73*time.Hour), now), "Shortness of breath → Home [after 3 days] / Larkspur Community Hospital · inpatient · Dr. Sample Attending · Bamboo"},
		"a discharge without a disposition": {days(stayWith(care.Discharge, seen), time.Time{}, now), "Heart failure / Larkspur · seen by Dr. A, Dr. B · hixny"},
		"a discharge without a time":        {days(stayWith(care.Discharge, seen), now, time.Time{}), "Heart failure / discharge time not sent · Larkspur · seen by Dr. A, Dr. B · hixny"},
		"a discharge at the time of admit":  {days(stayWith(care.Discharge, seen), now, now), "Heart failure / Larkspur · seen by Dr. A, Dr. B · hixny"},
		"a discharge before its record":     {days(db.Notification{Kind: care.Discharge, Record: waiting}, time.Time{}, now), "Discharged / facility and class not yet known · record queued"},
		"the same without a time":           {db.Notification{Kind: care.Discharge, Record: waiting}, "Discharged / discharge time not sent · facility and class not yet known · record queued"},
		"a discharge that cannot be read":   {days(db.Notification{Kind: care.Discharge, Record: stored}, time.Time{}, now), "Discharged / record stored, but not readable"},
		"a discharge without a reason":      {days(stayWith(care.Discharge, care.Encounter{Facility: "Larkspur"}), time.Time{}, now), "(Reason not sent) / Larkspur"},
		"a transfer":                        {db.Notification{Kind: care.Transfer, Record: stored, Moves: []care.Move{{}, {}, move}, Facts: care.Facts{Read: true, Encounter: &whole}}, "ED → 4 West / emergency → ward · 2 earlier moves folded · Larkspur Community Hospital · inpatient · Dr. Sample Attending · Bamboo"},
		"a transfer before its record":      {db.Notification{Kind: care.Transfer, Record: waiting, Moves: []care.Move{{}, {To: "ICU"}}}, "place not sent → ICU / 1 earlier move folded · record queued"},
		"a transfer whose facility is not":  {db.Notification{Kind: care.Transfer, Record: stored, Moves: []care.Move{move}, Facts: read}, "ED → 4 West / emergency → ward"},
		"a transfer without moves":          {db.Notification{Kind: care.Transfer, Record: stored, Facts: read}, "(Where to was not sent)"},
		"a summary":                         {db.Notification{Kind: care.Summary, Record: stored, Facts: care.Facts{Read: true, Encounter: &whole, Summary: &care.Document{Sections: make([]care.Section, 3)}}}, "Discharge summary / Larkspur Community Hospital · inpatient · Dr. Sample Attending · Bamboo · 3 sections"},
		"a summary of one section":          {db.Notification{Kind: care.Summary, Record: stored, Facts: care.Facts{Read: true, Summary: &care.Document{Sections: make([]care.Section, 1)}}}, "Discharge summary / 1 section"},
		"a summary before its record":       {db.Notification{Kind: care.Summary, Record: waiting}, "Discharge summary / record queued"},
		"a summary that is none":            {db.Notification{Kind: care.Summary, Record: stored, Facts: read}, "Discharge summary / no summary in this record"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shown(wordsIn(t, "America/Chicago").row(test.n)); got != test.want {
				t.Errorf("the row says\n\t%s\nwant\n\t%s", got, test.want)
			}
		})
	}
}

// TestAClassThatMayMeanMoreIsExplained, and the others are not.
func TestAClassThatMayMeanMoreIsExplained(t *testing.T) {
	for class, want := range map[string]string{
		"ambulatory or unknown":   "The sender also uses this word for what it does not know",
		"recurring or short stay": "Sent as short stay; this sender says so of patients who come again and again, such as for dialysis",
		"inpatient":               "", "emergency": "", "observation": "", "pre-admission": "", "home health": "", "virtual": "", "field": "", "": "",
	} {
		unsure := want != ""
		if got := wordsIn(t, "UTC").row(stayWith(care.Admit, care.Encounter{Class: class, ClassUnsure: unsure})).DetailHelp; strings.TrimPrefix(got, class+": ") != want {
			t.Errorf("%q is explained by %q, want %q", class, got, want)
		}
	}
}

// TestRowsOfPharmacies says the words of fills. None says that somebody picked a drug up, and none counts refills.
func TestRowsOfPharmacies(t *testing.T) {
	whole := care.Fill{
		Drug: "Oxycodone 5 mg tablet", Quantity: "30 tablets", DaysSupply: "30", Filled: "2026-04-21", Number: "3", Schedule: "schedule II",
		Prescriber: care.Contact{Name: "Dr. Sample Prescriber", NPI: "1", Phone: "555-0100"}, Pharmacy: care.Contact{Name: "Willow Street Pharmacy", Address: "1 Willow Street"}, Exchange: "SURESCRIPTS",
	}
	with := func(change func(*care.Fill)) care.Fill {
		f := whole
		change(&f)
		return f
	}
	for name, test := range map[string]struct {
		n    db.Notification
		want string
	}{
		"a fill": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{whole}}},
			"Oxycodone 5 mg tablet [filled] / 30 tablets · 30 days, runs out 21 May (computed) · fill 3 · schedule II · Dr. Sample Prescriber · Willow Street Pharmacy · Surescripts"},
		"the newest of several": {db.Notification{Record: stored, Facts: care.Facts{Read: true, MoreFills: 3, Fills: []care.Fill{{Drug: "Furosemide 40 mg"}, whole}, Exchanges: []string{"SURESCRIPTS"}}},
			"Furosemide 40 mg [filled] / 4 more fills · Surescripts"},
		"one more": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{{Drug: "Furosemide 40 mg"}, whole}}},
			"Furosemide 40 mg [filled] / 1 more fill · Surescripts"},
		"hundreds": {db.Notification{Record: stored, Facts: care.Facts{Read: true, MoreFills: 1200, Fills: []care.Fill{{Drug: "Furosemide 40 mg"}}}},
			"Furosemide 40 mg [filled] / 1,200 more fills"},
		"next year": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{with(func(f *care.Fill) { f.DaysSupply, f.Number, f.Schedule = "270", "", "II" })}}},
			"Oxycodone 5 mg tablet [filled] / 30 tablets · 270 days, runs out 16 Jan 2027 (computed) · schedule II · Dr. Sample Prescriber · Willow Street Pharmacy · Surescripts"},
		"a single day": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{with(func(f *care.Fill) { f.DaysSupply, f.Schedule, f.Filled = "1", "Schedule IV", "" })}}},
			"Oxycodone 5 mg tablet [filled] / 30 tablets · 1 day · fill 3 · schedule IV · Dr. Sample Prescriber · Willow Street Pharmacy · Surescripts"},
		"another status": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{{Drug: "Furosemide 40 mg", Status: "declined"}}}},
			"Furosemide 40 mg [declined]"},
		"completed is filled": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{{Drug: "Furosemide 40 mg", Status: "completed"}}}},
			"Furosemide 40 mg [filled]"},
		"a drug without a name": {db.Notification{Record: stored, Facts: care.Facts{Read: true, Fills: []care.Fill{{Quantity: "30 tablets"}}}},
			"(Drug not sent) [filled] / 30 tablets"},
		"no fill":              {db.Notification{Record: stored, Facts: care.Facts{Read: true, Exchanges: []string{"SURESCRIPTS"}}}, "(No fill in this record)"},
		"before its record":    {db.Notification{Record: waiting}, "(Drug not yet known) / record queued"},
		"which cannot be read": {db.Notification{Record: stored}, "(Drug not known) / record stored, but not readable"},
		"which was not sent":   {db.Notification{}, "(Drug not sent) / no record sent"},
	} {
		t.Run(name, func(t *testing.T) {
			test.n.Kind = care.Pharmacy
			r := wordsIn(t, "America/Chicago").row(test.n)
			if got := shown(r); got != test.want {
				t.Errorf("the row says\n\t%s\nwant\n\t%s", got, test.want)
			}
			all := shown(r)
			for _, f := range r.Flags {
				all += " " + f.Help
				if f.Text == "filled" && f.Help != "The pharmacy filled it. Whether somebody picked it up is not known" {
					t.Errorf("filled is explained by %q", f.Help)
				}
			}
			for _, never := range []string{"handed", "refill", "taken"} {
				if strings.Contains(all, never) {
					t.Errorf("the row says %q: %s", never, all)
				}
			}
		})
	}
}

// TestRowsOfLaboratories says the words of results.
func TestRowsOfLaboratories(t *testing.T) {
	potassium := care.Result{Name: "Potassium", Value: "6.9", Unit: "mmol/L", Low: "3.5", High: "5.1", Flag: "HH", Status: "final"}
	sodium := care.Result{Name: "Sodium", Value: "133", Unit: "mmol/L", Flag: "L", Computed: true}
	fine := care.Result{Name: "Chloride", Value: "101", Unit: "mmol/L"}
	metabolic := care.Panel{Name: "Basic metabolic panel", Status: "final", Results: []care.Result{fine, sodium, potassium}, OrderedBy: care.Contact{Name: "Dr. Sample Hospitalist", NPI: "1"}, Exchange: "QUEST"}
	culture := func(value string, notes ...string) care.Panel {
		return care.Panel{Name: "Culture, urine", Results: []care.Result{{Name: "Culture, urine", Value: value, Notes: notes}}}
	}
	const grown = "Escherichia coli, more than 100,000 CFU/mL"
	long := strings.Repeat("growth of nothing in particular ", 20)
	for name, test := range map[string]struct {
		panels []care.Panel
		want   string
	}{
		"the worst result":          {[]care.Panel{metabolic}, "Potassium 6.9 mmol/L [critical high!] [3.5–5.1] / Basic metabolic panel · 2 more · ordered by Dr. Sample Hospitalist · Quest"},
		"of several reports":        {[]care.Panel{{Name: "A1c", Results: []care.Result{fine}}, metabolic}, "Potassium 6.9 mmol/L [critical high!] [3.5–5.1] / Basic metabolic panel · 3 more · ordered by Dr. Sample Hospitalist · Quest"},
		"computed":                  {[]care.Panel{{Name: "Sodium", Results: []care.Result{sodium}}}, "Sodium 133 mmol/L [low, computed!]"},
		"the first of equals":       {[]care.Panel{{Results: []care.Result{fine, {Name: "Bicarbonate", Value: "24"}}}}, "Chloride 101 mmol/L / 1 more"},
		"no name":                   {[]care.Panel{{Results: []care.Result{{Value: "7"}}}}, "Test not named 7"},
		"the name of its report":    {[]care.Panel{{Name: "Lead", Results: []care.Result{{Value: "<0.01"}}}}, "Lead <0.01"},
		"corrected":                 {[]care.Panel{{Name: "Sodium", Status: "corrected", Results: []care.Result{sodium}}}, "Sodium 133 mmol/L [low, computed!] [corrected!]"},
		"a result alone corrected":  {[]care.Panel{{Status: "final", Results: []care.Result{{Name: "Lead", Value: "2", Status: "amended"}}}}, "Lead 2 [corrected!]"},
		"preliminary":               {[]care.Panel{{Status: "preliminary", Results: []care.Result{{Name: "Lead", Value: "2", Status: "preliminary"}}}}, "Lead 2 [preliminary]"},
		"taken back":                {[]care.Panel{{Status: "entered-in-error", Results: []care.Result{{Name: "Lead", Value: "2"}}}}, "Lead 2 [entered in error!]"},
		"what is in a note":         {[]care.Panel{culture("SEE NOTE:", grown)}, "Culture, urine: " + grown},
		"in small letters":          {[]care.Panel{culture("See note", grown)}, "Culture, urine: " + grown},
		"in a comment":              {[]care.Panel{culture("SEE COMMENT", grown)}, "Culture, urine: " + grown},
		"below":                     {[]care.Panel{culture("SEE BELOW", "Escherichia coli,", "more than\n 100,000 CFU/mL")}, "Culture, urine: " + grown},
		"without a value":           {[]care.Panel{culture("", grown)}, "Culture, urine: " + grown},
		"a note beside a value":     {[]care.Panel{culture("POSITIVE", "CALLED TO THE WARD")}, "Culture, urine POSITIVE"},
		"a note that is abnormal":   {[]care.Panel{{Name: "Micro", Results: []care.Result{{Name: "Culture", Value: "SEE NOTE", Notes: []string{grown}, Flag: "A"}}}}, "Culture: " + grown + " [abnormal!] / Micro"},
		"a note that is not there":  {[]care.Panel{culture("SEE NOTE")}, "Culture, urine SEE NOTE"},
		"but the report's text is":  {[]care.Panel{{Text: grown, Results: []care.Result{{Name: "Culture", Value: "SEE NOTE"}}}}, "Culture: " + grown},
		"a long note":               {[]care.Panel{culture("SEE NOTE", long)}, "Culture, urine: " + strings.TrimSpace(long[:55]) + "…"},
		"not performed":             {[]care.Panel{{Name: "Lipid panel", NotPerformed: true, Text: "Specimen\n clotted", Exchange: "QUEST"}}, "Lipid panel: not performed / Specimen clotted · Quest"},
		"one test not performed":    {[]care.Panel{{Name: "Lipid panel", Results: []care.Result{{Name: "LDL", NotPerformed: true, Notes: []string{"QNS"}}}}}, "LDL: not performed / QNS · Lipid panel"},
		"what was comes first":      {[]care.Panel{{Name: "Lipid panel", Results: []care.Result{{Name: "LDL", NotPerformed: true}, {Name: "HDL", Value: "50"}}}, {Name: "A1c", NotPerformed: true}}, "HDL 50 / Lipid panel · 2 more"},
		"a report of words":         {[]care.Panel{{Name: "Pathology", Status: "final", Text: "Benign."}}, "Pathology: Benign."},
		"its conclusion":            {[]care.Panel{{Name: "Pathology", Text: "long", Conclusion: "Benign."}}, "Pathology: Benign."},
		"its notes":                 {[]care.Panel{{Notes: []string{"Benign."}}}, "Test not named: Benign."},
		"before what was not done":  {[]care.Panel{{Name: "A1c", NotPerformed: true}, {Name: "Pathology", Text: "Benign."}}, "Pathology: Benign. / 1 more"},
		"a report without anything": {[]care.Panel{{Name: "Lipid panel", Status: "registered"}}, "Lipid panel [preliminary] / no result in this record"},
		"a report without a name":   {[]care.Panel{{}}, "(Test not named) / no result in this record"},
		"a record without a report": {nil, "(Test not named) / no result in this record"},
	} {
		t.Run(name, func(t *testing.T) {
			n := db.Notification{Kind: care.Lab, Record: stored, Facts: care.Facts{Read: true, Panels: test.panels}}
			got := shown(wordsIn(t, "America/Chicago").row(n))
			if got != test.want {
				t.Errorf("the row says\n\t%s\nwant\n\t%s", got, test.want)
			}
			if strings.Contains(got, "final") {
				t.Error("the row says that a result is final")
			}
		})
	}
	for want, n := range map[string]db.Notification{
		"(Test not yet known) / record queued":               {Record: waiting},
		"(Test not known) / record stored, but not readable": {Record: stored},
		"(Test not sent) / no record sent":                   {},
	} {
		n.Kind = care.Lab
		if got := shown(wordsIn(t, "UTC").row(n)); got != want {
			t.Errorf("the row says %s, want %s", got, want)
		}
	}
}

// TestDelayIsSplitByWhoHadTheNotice, and what is not known or contradicts itself is left out.
func TestDelayIsSplitByWhoHadTheNotice(t *testing.T) {
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, test := range []struct {
		event, source, sent, received time.Time
		day                           bool
		words, seconds                string
	}{
		{at(0), at(42 * time.Minute), at(42*time.Minute + 6*time.Second), at(42*time.Minute + 6300*time.Millisecond), false, "hospital 42 min, network 6 s, here 0.3 s", "2520 6 0.3"},
		{at(0), time.Time{}, at(43 * time.Minute), at(43*time.Minute + 1961*time.Millisecond), false, "network and hospital 43 min, here 2 s", "  1.961"},
		{time.Time{}, at(0), at(9960 * time.Millisecond), at(30 * time.Second), false, "network 10 s, here 20 s", " 9.96 20.04"},
		{at(0), at(0), at(0), at(0), true, "network 0 s, here 0 s", " 0 0"},
		{at(0), time.Time{}, at(time.Hour), at(3 * time.Hour), true, "here 2 h", "  7200"},
		{at(time.Hour), at(0), at(49 * time.Hour), at(2 * time.Hour), false, "network 2 days", " 176400 "},
		{at(time.Hour), time.Time{}, at(0), at(time.Second), false, "here 1 s", "  1"},
		{at(0), at(time.Minute), time.Time{}, at(time.Hour), false, "hospital 1 min", "60  "},
		{at(0), time.Time{}, time.Time{}, at(time.Hour), false, "", "  "},
		{time.Time{}, time.Time{}, time.Time{}, at(0), false, "", "  "},
	} {
		n := db.Notification{Kind: care.Admit, EventAt: test.event, EventDay: test.day, SourceSentAt: test.source, SentAt: test.sent, ReceivedAt: test.received}
		d := delayOf(n)
		if got := wordsIn(t, "America/Chicago").row(n).Delay; got != test.words {
			t.Errorf("the row says %q, want %q", got, test.words)
		}
		if got := seconds(d.hospital) + " " + seconds(d.network) + " " + seconds(d.here); got != test.seconds {
			t.Errorf("the export says %q, want %q", got, test.seconds)
		}
	}
}

// TestADayIsTheSameDayEverywhere: in a row, its place in a timeline, and a line of an export.
func TestADayIsTheSameDayEverywhere(t *testing.T) {
	day := care.Noon(time.Date(2026, 4, 21, 0, 0, 0, 0, time.UTC))
	n := db.Notification{ID: 1, Kind: care.Pharmacy, EventAt: day, EventDay: true, ReceivedAt: now}
	for _, zone := range []string{"Pacific/Honolulu", "America/Chicago", "Pacific/Guam"} {
		w := wordsIn(t, zone)
		r := w.row(n)
		if r.Happened.Short() != "Tue 21 Apr" || r.Happened.Ago() != "Tue 21 Apr" || r.Happened.Full() != "Tue 21 Apr 2026" || r.Happened.ISO() != "2026-04-21" || r.Placed.DayKey() != "2026-04-21" {
			t.Errorf("in %s it happened %s, %s, %s, and stands under %s", zone, r.Happened.Short(), r.Happened.Full(), r.Happened.ISO(), r.Placed.DayKey())
		}
		if line := w.line(n); line[5] != "2026-04-21" {
			t.Errorf("in %s the export says %q", zone, line[5])
		}
		n := n
		n.Kind, n.EventDay, n.EventAt = care.Discharge, false, time.Date(2026, 4, 21, 0, 0, 0, 0, time.UTC)
		if line := w.line(n); !strings.Contains(line[5], ":00:00") {
			t.Errorf("in %s a discharge at midnight UTC is the day %q", zone, line[5])
		}
	}
}

// TestALineOfAnExport says what a row has no room for, and has as many cells as the head.
func TestALineOfAnExport(t *testing.T) {
	w := wordsIn(t, "America/Chicago")
	head := feedHead("America/Chicago")
	cells := func(n db.Notification) map[string]string {
		t.Helper()
		line := w.line(n)
		if len(line) != len(head) {
			t.Fatalf("%d cells under a head of %d", len(line), len(head))
		}
		out := map[string]string{}
		for i, name := range head {
			out[name] = line[i]
		}
		return out
	}
	fill := cells(db.Notification{
		Kind: care.Pharmacy, PatientID: "p", Patient: db.Patient{Name: "Wanda Sample", BirthDate: "1950-01-02", ExternalID: "MRN-1"}, Record: stored,
		EventAt: care.Noon(now), EventDay: true, ReceivedAt: now, SentAt: now.Add(-250 * time.Millisecond),
		Facts: care.Facts{Read: true, Fills: []care.Fill{{
			Drug: "Furosemide 40 mg", Quantity: "30 tablets", Dosage: "1 tablet a day", Exchange: "SURESCRIPTS",
			Prescriber: care.Contact{Name: "Dr. Sample Prescriber", NPI: "1234567893", Phone: "555-0100", Address: "2 Oak Street"},
			Pharmacy:   care.Contact{Name: "Willow Street Pharmacy", Phone: "555-0101", Address: "1 Willow Street"},
		}}},
	})
	for name, want := range map[string]string{
		"Kind": "pharmacy", "Patient": "Wanda Sample", "Happened (America/Chicago)": "2026-05-01", "Received (America/Chicago)": "2026-05-01 10:00:00",
		"What": "Furosemide 40 mg", "More": "30 tablets · Dr. Sample Prescriber · Willow Street Pharmacy · Surescripts", "Flags": "filled", "State": "new", "Exchange": "Surescripts",
		"Hospital delay (s)": "", "Network delay (s)": "", "Here (s)": "0.25", "Prescribed or ordered by": "Dr. Sample Prescriber", "NPI": "1234567893", "Phone": "555-0100", "Address": "2 Oak Street",
		"Pharmacy or site": "Willow Street Pharmacy", "Pharmacy or site phone": "555-0101", "Pharmacy or site address": "1 Willow Street", "Notes or directions": "1 tablet a day",
	} {
		if fill[name] != want {
			t.Errorf("%s of a fill is %q, want %q", name, fill[name], want)
		}
	}
	long := strings.Repeat("Growth of nothing in particular. ", 20)
	lab := cells(db.Notification{Kind: care.Lab, Record: stored, ReceivedAt: now, Facts: care.Facts{Read: true, Panels: []care.Panel{
		{Name: "Other", Notes: []string{"Fasting"}},
		{Name: "Culture", Specimen: "Urine", Text: "Report text", OrderedBy: care.Contact{Name: "Dr. Sample Hospitalist", NPI: "1234567893"}, Site: care.Contact{Name: "Sample Clinic", Phone: "555-0102"},
			Results: []care.Result{{Name: "Culture", Value: "SEE NOTE", Flag: "A", Notes: []string{long}}}},
	}}})
	for name, want := range map[string]string{
		"Specimen": "Urine", "Prescribed or ordered by": "Dr. Sample Hospitalist", "NPI": "1234567893", "Pharmacy or site": "Sample Clinic", "Pharmacy or site phone": "555-0102",
		"Notes or directions": "Fasting\nReport text\nCulture: " + long, "Happened (America/Chicago)": "",
	} {
		if lab[name] != want {
			t.Errorf("%s of a result is %q, want %q", name, lab[name], want)
		}
	}
	cells(db.Notification{Kind: care.Admit, ReceivedAt: now})
}

// TestTestsAreCalledAsAClinicCallsThem, and what LOINC calls them is kept for who asks.
func TestTestsAreCalledAsAClinicCallsThem(t *testing.T) {
	for name, want := range map[string]string{
		"Potassium [Moles/volume] in Serum or Plasma":                                    "Potassium",
		"Leukocytes [#/volume] in Blood by Automated count":                              "White blood cells",
		"Hematocrit [Volume Fraction] of Blood by Automated count":                       "Hematocrit",
		"Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method": "Troponin I",
		"Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation":             "LDL cholesterol",
		"Glucose [Mass/volume] in Urine by Test strip":                                   "Glucose in Urine by Test strip",
		"CBC panel - Blood by Automated count":                                           "CBC panel",
		"Bacteria identified in Urine by Culture":                                        "Urine culture",
		"Hemoglobin A1c/Hemoglobin.total in Blood":                                       "Hemoglobin A1c",
		"Potassium": "Potassium", "Lead in Blood": "Lead in Blood", "[odd]": "[odd]", "": "",
	} {
		short, full := testName(name)
		if short != want || (full == "") != (short == name) || full != "" && full != name {
			t.Errorf("%q is called %q (in full %q), want %q", name, short, full, want)
		}
	}
	n := db.Notification{Kind: care.Lab, Record: stored, Facts: care.Facts{Read: true, Panels: []care.Panel{{
		Name: "Basic metabolic panel - Blood", Results: []care.Result{{Name: "Potassium [Moles/volume] in Serum or Plasma", Value: "6.9", Unit: "mmol/L", Flag: "HH"}},
	}}}}
	r := wordsIn(t, "UTC").row(n)
	if got := shown(r); got != "Potassium 6.9 mmol/L [critical high!] / Basic metabolic panel" || r.Named != "Potassium [Moles/volume] in Serum or Plasma" {
		t.Errorf("the row says %q, in full %q", got, r.Named)
	}
}

// TestANoticeIsLateAfterTwoHours, and one of a day that was sent without a time never is.
func TestANoticeIsLateAfterTwoHours(t *testing.T) {
	for took, want := range map[time.Duration]string{-time.Hour: "", 0: "", 119 * time.Minute: "", 2 * time.Hour: "2 h", 9*time.Hour + 20*time.Minute: "9 h", 72 * time.Hour: "3 days"} {
		n := db.Notification{Kind: care.Admit, EventAt: now.Add(-took), ReceivedAt: now}
		if got := wordsIn(t, "UTC").row(n).Late; got != want {
			t.Errorf("a notice that took %s is late by %q, want %q", took, got, want)
		}
		if n.EventDay = true; wordsIn(t, "UTC").row(n).Late != "" {
			t.Errorf("a notice of a day that took %s is late", took)
		}
	}
	if got := wordsIn(t, "UTC").row(db.Notification{Kind: care.Admit, ReceivedAt: now}).Late; got != "" {
		t.Errorf("a notice of no time is late by %q", got)
	}
}

// TestAgesAreAsPeopleSayThem: in years, and of small children in months and days.
func TestAgesAreAsPeopleSayThem(t *testing.T) {
	for born, want := range map[string]string{
		"1946-05-01": "80", "1946-05-02": "79", "2024-05-01": "2", "2024-05-02": "23 months", "2026-03-31": "1 month", "2026-04-02": "29 days", "2026-05-01": "0 days",
		"2026-05-02": "", "": "", "1946": "",
	} {
		if got := wordsIn(t, "America/Chicago").row(db.Notification{Patient: db.Patient{BirthDate: born}}).Patient.Age; got != want {
			t.Errorf("who was born on %q is %q, want %q", born, got, want)
		}
	}
}
