package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"carebell/web/metriport"
)

// historyScope is how much of a patient's history the pharmacy network sends along.
type historyScope int

const (
	thisFill historyScope = iota
	thisDrug
	everything
	nothing // the network knows the patient, and no fill
)

// maxTold is how much of what the networks told is kept for the record of a patient, the newest.
const maxTold = 20

// remember keeps the newest of what was told.
func remember[T any](had []T, more ...T) []T {
	all := append(slices.Clone(had), more...)
	return all[max(0, len(all)-maxTold):]
}

// known is what this simulation has told of a patient, for their record.
func (s *Sim) known(p person) story {
	known := s.networks[p.id]
	for _, f := range s.files[p.id] {
		known.stays = append(slices.Clone(known.stays), append(append(append(append([]object{}, f.encounters...), f.people...), f.conditions...), f.places...)...)
	}
	return known
}

// row is the fill among the others of its drug: of what the patient takes anyway the next one, or that of a new
// prescription.
func (f fill) row() filled {
	day := dayOf(f.at)
	now := filled{what: f.what, on: day, written: day, doctor: f.doctor, shop: f.pharmacy}
	for _, row := range healthOf(f.who).history(day) {
		if row.what != f.what {
			continue
		}
		now.doctor, now.shop, now.written, now.number = row.doctor, row.shop, row.written, row.number+1
		if now.number > f.what.refills {
			now.written, now.number = day.AddDate(0, 0, -1), 0
		}
	}
	return now
}

// dispensed is a fill as the sender's converter makes it of the pharmacy network's file.
func (s *Sim) dispensed(f fill, scope historyScope) Message {
	day := dayOf(f.at)
	now, rows := f.row(), []filled(nil)
	now.directed = !oneIn(s.r, 3)
	switch history := healthOf(f.who).history(day); scope {
	case everything:
		rows = history
	case thisDrug:
		rows = slices.DeleteFunc(history, func(row filled) bool { return row.what != f.what })
		rows = rows[max(0, len(rows)-s.r.IntN(5)):]
	case thisFill, nothing:
	}
	rows = append(slices.Clone(rows), now)
	if oneIn(s.r, 2) { // the network has no order that one could rely on
		slices.Reverse(rows)
	}
	dispensed := any(day)
	if scope == nothing {
		rows, dispensed = nil, nil
	} else {
		known := s.networks[f.who.id]
		known.fills = remember(known.fills, now)
		s.networks[f.who.id] = known
	}
	file := fills{who: f.who, rows: rows, insured: oneIn(s.r, 3)}
	id := conversion("pharmacy", uuid4(s.r))
	body := append(s.named(f.who), "url", s.keep(jsonFile("pharmacy.json", func(*rand.Rand) object { return file.bundle(id) }), tenMinutes))
	if oneIn(s.r, 10) {
		dispensed = nil
	}
	return s.message(metriport.PatientPharmacy, s.notice(f.sent), "payload", of(append(body, "medicationDispensedDate", dispensed)...))
}

// noFills is what the pharmacy network tells of a patient of whom it knows no fill.
func (s *Sim) noFills(p person) *journey {
	j := &journey{}
	j.add(metriport.PatientPharmacy, 0, s.lag(), func(at, happened time.Time) Message {
		return s.dispensed(fill{who: p, what: drugs[0], at: happened, sent: at}, nothing)
	})
	return j
}

// resulted is a result as the sender's converter makes it of the laboratory network's file.
func (s *Sim) resulted(d draw) Message {
	day := dayOf(d.at)
	orders := []laboratoryOrder{s.order(d, day)}
	if oneIn(s.r, 5) { // another order of the same visit
		more := d
		more.what, more.critical = pick(s.r, []int{panelCBC, panelLipid, panelTSH}), false
		if more.what != d.what {
			second := s.order(more, day)
			second.office, second.worded, second.collected = orders[0].office, orders[0].worded, orders[0].collected
			orders = append(orders, second)
		}
	}
	known := s.networks[d.who.id]
	known.orders = remember(known.orders, orders...)
	s.networks[d.who.id] = known
	id := conversion("laboratory", uuid4(s.r))
	body := append(s.named(d.who), "url", s.keep(jsonFile("laboratory.json", func(*rand.Rand) object { return laboratoryBundle(id, orders...) }), tenMinutes))
	var collected any
	if !orders[0].collected.IsZero() && !oneIn(s.r, 10) {
		collected = orders[0].collected
	}
	return s.message(metriport.PatientLaboratory, s.notice(d.sent), "payload", of(append(body, "specimenCollectedDate", collected)...))
}

// order is what was found in one specimen, as the network writes it.
func (s *Sim) order(d draw, day time.Time) laboratoryOrder {
	p := panels[d.what]
	l := laboratoryOrder{
		who: d.who, name: p.order, requisition: hexWord(s.r)[:8], collected: day, served: day, doctor: d.doctor,
		office: pick(s.r, offices), worded: oneIn(s.r, 4),
	}
	if oneIn(s.r, 3) {
		l.diagnosis = pick(s.r, major).icd
	}
	if oneIn(s.r, 12) {
		l.collected = time.Time{}
	}
	if d.what == panelUrine {
		l.rows = []worded{pick(s.r, cultures)}
		return l
	}
	for i, a := range p.analytes {
		critical := d.critical && i == 0 && a.critHigh > 0
		value := a.measure(s.r, critical)
		row := a.row(s.r, value, critical)
		if a.low == 0 && value < a.high/8 { // below what the instrument can tell
			row.value = "<" + row.high[:1]
		}
		l.rows = append(l.rows, row)
	}
	if len(l.rows) > 2 && oneIn(s.r, 8) { // one of them could not be done
		lost := &l.rows[len(l.rows)-1]
		lost.comment, lost.flag = "TEST NOT PERFORMED. Specimen was hemolyzed.", ""
		if lost.value = ""; oneIn(s.r, 2) {
			lost.value = "TNP"
		}
	}
	if len(p.analytes) == 0 || oneIn(s.r, 3) {
		l.rows = append(l.rows, p.words...)
	}
	return l
}
