package sim

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
)

func truthful(seed uint64) *Sim {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	return New(Options{Now: func() time.Time { return now }, Seed: seed, BaseURL: "http://store.example"})
}

// TestEveryKindOfStayEndsInTheEnd: told to its end, no journey leaves a patient in hospital, in either shape; so a stay
// that is open in a backlog belongs to a journey that goes on.
func TestEveryKindOfStayEndsInTheEnd(t *testing.T) {
	kinds := append(slices.Clone(converterKinds), oddKinds...)
	kinds = append(kinds, (*Sim).documentedInpatient)
	for seed := range uint64(12) {
		s := truthful(seed)
		for i, kind := range kinds {
			s.converted = seed%2 == 0
			j := kind(s, stranger(i))
			name := runtime.FuncForPC(reflect.ValueOf(kind).Pointer()).Name()
			if len(j.stays) == 0 {
				t.Fatalf("%s tells of no stay", name)
			}
			told := s.tellAll(j, len(j.steps), s.now())
			if len(told.Stays) != len(j.stays) {
				t.Errorf("%s: %d of %d stays are told of", name, len(told.Stays), len(j.stays))
			}
			for _, st := range told.Stays {
				if !st.Ended || st.Discharged.Before(st.Admitted) || st.Admitted.IsZero() {
					t.Errorf("%s: %+v", name, st)
				}
			}
		}
	}
	for seed := range uint64(10) {
		s := truthful(seed)
		s.Backlog(4)
		open := 0
		for _, j := range s.running {
			for _, st := range j.stays {
				if st.Ended || len(st.MessageIDs) == 0 {
					continue
				}
				open++
				if !slices.ContainsFunc(j.steps, func(st step) bool { return st.kind == metriport.PatientDischarge }) {
					t.Errorf("seed %d: an open stay of %s is never ended", seed, j.kind)
				}
			}
		}
		if open < 3 {
			t.Errorf("seed %d: only %d patients are in hospital", seed, open)
		}
	}
}

// TestJourneysTellTheTruth: each notice belongs to one stay; stays say that they ended where a discharge was sent; those
// of one patient under one id do not overlap; and what stands behind each link is there.
func TestJourneysTellTheTruth(t *testing.T) {
	all := truthful(7).Journeys(400)
	again := truthful(7).Journeys(400)
	patients, open, kinds := map[string]bool{}, 0, map[string]int{}
	ids := map[string]int{}
	for i, j := range all {
		kinds[j.Kind]++
		if patients[j.PatientID] {
			t.Errorf("patient %s has two journeys", j.PatientID)
		}
		patients[j.PatientID] = true
		notices, ends := map[string]bool{}, map[string]bool{}
		for k, m := range j.Told {
			if !bytes.Equal(m.Body, again[i].Told[k].Body) {
				t.Fatalf("journey %d differs", i)
			}
			if k > 0 && !m.At.After(j.Told[k-1].At) || m.At.After(truthful(7).now()) {
				t.Errorf("%s: message %d of %s at %s", j.Kind, k, j.PatientID, m.At)
			}
			if m.Type == metriport.PatientAdmit || m.Type == metriport.PatientDischarge {
				notices[m.ID], ends[m.ID] = true, m.Type == metriport.PatientDischarge
			}
			for link, file := range m.Files {
				if !bytes.Contains(m.Body, []byte(link)) || len(file) < 100 {
					t.Errorf("%s: %d bytes behind %s", j.Kind, len(file), link)
				}
			}
			if len(m.Files) != 1 {
				t.Errorf("%s: %d files of %s", j.Kind, len(m.Files), m.Type)
			}
		}
		for k, st := range j.Stays {
			ended := false
			for n, id := range st.MessageIDs {
				if !notices[id] {
					t.Errorf("%s: %s is told in no message, or of two stays", j.Kind, id)
				}
				delete(notices, id)
				ended = ended || ends[id]
				ids[fmt.Sprint(n > 0 && st.Encounters[n] == st.Encounters[0])]++
			}
			if ended != st.Ended || st.Ended == st.Discharged.IsZero() || len(st.Spellings) == 0 || len(st.Encounters) != len(st.MessageIDs) {
				t.Errorf("%s: %+v", j.Kind, st)
			}
			if !ended {
				open++
			}
			for _, other := range j.Stays[:k] {
				if slices.ContainsFunc(st.Encounters, func(id string) bool { return slices.Contains(other.Encounters, id) }) && st.Admitted.Before(other.Discharged) {
					t.Errorf("%s: two stays under one id overlap: %+v %+v", j.Kind, other, st)
				}
			}
		}
		if len(notices) > 0 {
			t.Errorf("%s: notices of no stay: %v", j.Kind, notices)
		}
	}
	if open < 20 || open > 80 || len(kinds) < 10 || ids["true"] < ids["false"]/3 {
		t.Errorf("%d stays are open, kinds %v, ids %v", open, kinds, ids)
	}
}

// TestTheSenderFoldsNoticesOfOneEncounter: in their order, dropping an Encounter without a time once there are two notices.
func TestTheSenderFoldsNoticesOfOneEncounter(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC) }
	admit := notice{who: stranger(1), exchange: fromBamboo, facility: "Birchwood General", visit: "V1", control: "1", class: "E", start: at(8), reason: of("display", "Chest pain"),
		diagnoses: []object{coding(icdSystem, "R07.9", "Chest pain, unspecified")}, doctor: 0}
	inpatient := admit
	inpatient.control, inpatient.class, inpatient.start = "2", "I", at(12)
	discharge := inpatient
	discharge.control, discharge.ends, discharge.end = "3", true, at(20)
	untimed := discharge
	untimed.control, untimed.start, untimed.end = "4", time.Time{}, time.Time{}
	words := func(notices ...notice) string {
		f := notices[0].convert()
		for _, n := range notices[1:] {
			f = f.folded(n.convert())
		}
		var out []string
		for _, e := range f.encounters {
			class, _ := e.find("class").(object)
			out = append(out, e.get("status")+" "+class.get("code")+" "+e.begins())
		}
		return fmt.Sprint(strings.Join(out, ", "), " ", len(f.conditions), len(f.people), len(f.places))
	}
	for _, c := range []struct{ got, want string }{
		{words(admit), `in-progress EMER "2026-11-20T08:00:00.000Z" 1 1 1`},
		{words(admit, inpatient), `in-progress EMER "2026-11-20T08:00:00.000Z", in-progress IMP "2026-11-20T12:00:00.000Z" 1 1 1`},
		{words(admit, inpatient, discharge), `in-progress EMER "2026-11-20T08:00:00.000Z", finished IMP "2026-11-20T12:00:00.000Z" 1 1 1`},
		{words(inpatient, untimed), `in-progress IMP "2026-11-20T12:00:00.000Z" 1 1 1`},
		{words(untimed), `finished IMP  1 1 1`},
		{words(untimed, untimed), ` 1 1 1`},
		{words(discharge, inpatient), `finished IMP "2026-11-20T12:00:00.000Z" 1 1 1`},
	} {
		if c.got != c.want {
			t.Errorf("got %s\nwant %s", c.got, c.want)
		}
	}
	other := admit
	other.visit, other.who = "", stranger(2)
	if a, b := admit.encounterID(), inpatient.encounterID(); a != b {
		t.Errorf("one visit number, two ids: %s %s", a, b)
	}
	later := other
	later.start = other.start.Add(10 * time.Minute)
	if other.encounterID() == later.encounterID() {
		t.Error("admit times ten minutes apart give one id")
	}
	other.patient, later.patient = "E", "E"
	if other.encounterID() != later.encounterID() {
		t.Error("a kind of patient where the account should stand gives two ids")
	}
}
