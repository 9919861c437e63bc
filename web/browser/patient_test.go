//go:build browser

package browser

import (
	"encoding/json"
	"strings"
	"testing"

	"carebell/web/metriport"
	"carebell/web/sim"
)

// about reads the ids by which a message names its patient.
func about(t testing.TB, m sim.Message) (id string, others []string) {
	t.Helper()
	var body struct {
		Payload struct {
			PatientID     string              `json:"patientId"`
			ExternalID    string              `json:"externalId"`
			AdditionalIDs map[string][]string `json:"additionalIds"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Payload.ExternalID != "" {
		others = append(others, body.Payload.ExternalID)
	}
	for _, ids := range body.Payload.AdditionalIDs {
		others = append(others, ids...)
	}
	return body.Payload.PatientID, others
}

// stayOf finds, in a backlog, a patient who is admitted, and the discharge that ends it.
func stayOf(t testing.TB, c *clinic) (before []sim.Message, discharge sim.Message) {
	t.Helper()
	all := c.sim.Backlog(4)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Type != metriport.PatientDischarge {
			continue
		}
		id, others := about(t, all[i])
		before = nil
		for _, m := range all[:i] {
			switch m.Type {
			case metriport.PatientAdmit, metriport.PatientTransfer:
				if of, _ := about(t, m); of == id {
					before = append(before, m)
				}
			case metriport.PatientDischarge:
				if of, _ := about(t, m); of == id {
					before = nil // an earlier stay
				}
			}
		}
		if len(before) >= 2 && len(others) > 0 {
			return before, all[i]
		}
	}
	t.Fatal("the backlog has no stay of several notices")
	return nil, sim.Message{}
}

func TestThePatientPageFollowsADischarge(t *testing.T) {
	c := newClinic(t)
	before, discharge := stayOf(t, c)
	for _, m := range before {
		c.post(m)
	}
	c.Settled(t)
	id, others := about(t, discharge)
	b := c.ann()
	b.click("#feed .name")
	b.until("the patient page is live", `location.pathname.startsWith("/patients/") && `+live)
	b.always("the patient is admitted", `document.querySelector(".stays .kind.admit")?.innerText === "Admitted"`)
	notices := eval[int](b, `document.querySelectorAll("#timeline .row").length`)
	if notices != len(before) {
		t.Errorf("the timeline has %d rows, want %d", notices, len(before))
	}
	eval[bool](b, `window.sameDocument = true`)
	first := c.row(before[0])
	b.do(focusOn("#" + first + "-done"))

	c.post(discharge)
	row := c.row(discharge)
	b.until("the discharge is in the timeline", has(row)+`?.querySelector(".kind.discharge")`)
	b.until("the stay is discharged", `document.querySelector(".stays .kind.discharge")?.innerText === "Discharged"`)
	b.always("it is one stay still", `document.querySelectorAll(".stays .row").length === 1`)
	b.always("the newest is the first of the timeline", `document.querySelector("#timeline .row").id === "`+row+`"`)
	b.always("the focus stayed", focused+` === "`+first+`-done"`)
	b.always("the page was not loaded again", `window.sameDocument`)

	where := eval[string](b, `location.href + " " + document.title`)
	if !strings.Contains(where, "/patients/"+id) {
		t.Errorf("the page is at %s, not at the opaque id %s", where, id)
	}
	for _, secret := range others {
		if strings.Contains(where, secret) {
			t.Errorf("the address or the title contains the id %s: %s", secret, where)
		}
	}
	if want := "Patient · Carebell"; !strings.HasSuffix(where, want) {
		t.Errorf("the title is %q, want %q", where, want)
	}
}

func TestAPatientPageStaysStillForOthersEvents(t *testing.T) {
	c := newClinic(t)
	m, row := c.send(metriport.PatientAdmit)
	c.Settled(t)
	id, _ := about(t, m)
	b := c.ann()
	b.open("/patients/" + id)
	b.until("the patient page is live", live)
	for {
		other, _ := c.send(metriport.PatientAdmit)
		if of, _ := about(t, other); of != id {
			break
		}
	}
	b.until("the count beside Feed is live here too", `Number.parseInt(document.querySelector("#nav-new").textContent) >= 2`)
	b.always("the timeline has this patient's row", has(row))
}

func TestCopyingAnIdSaysSo(t *testing.T) {
	c := newClinic(t)
	m, _ := c.send(metriport.PatientAdmit)
	c.Settled(t)
	id, _ := about(t, m)
	b := c.ann()
	b.open("/patients/" + id)
	b.until("the patient page is live", live)
	b.click("#details > summary")
	b.click(`[data-copy="` + id + `"]`)
	b.until("the page says what came of it", `/Copied|does not let pages copy/.test(document.querySelector("#toast").textContent)`)
}
