package chart

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/fhir"
)

// mostInflated is how much of a file that came as gzip is read.
const mostInflated = 256 << 20

// errWholeFile says that a file was larger than what is read of it.
var errWholeFile = errors.New("the file is larger than what is read of it")

// ReadHealth makes of a whole file, a Bundle of consolidated data of any size, one row for each thing in it. open opens it
// anew each time. Where the file cannot be read to its end, the rows made so far come with the error.
func ReadHealth(open func() (io.ReadCloser, error)) (rows []db.HealthRow, cut []care.HealthSection, err error) {
	f := newFolder()
	h, err := fhir.ReadHealth(func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return inflated(r)
	}, f.statement)
	rows, cut = f.done()
	if h.Cut { // names or dates are missing: of anything that refers to others
		for _, section := range []care.HealthSection{care.SectionMedications, care.SectionResults} {
			if !f.cut[section] {
				cut = append(cut, section)
			}
		}
	}
	return rows, cut, err
}

// inflated reads gzip as what is in it, and anything else as it is.
func inflated(r io.ReadCloser) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if head, _ := in.Peek(2); string(head) != "\x1f\x8b" {
		return both{in, r}, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return both{&bounded{z, mostInflated}, r}, nil
}

// both reads from one and closes the other.
type both struct {
	io.Reader
	io.Closer
}

// bounded fails where more is read than may be.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errWholeFile
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// RecordHealth makes rows of what was read from the record behind a pharmacy or laboratory notification.
func RecordHealth(d db.Download, encoded []byte) (rows []db.HealthRow, cut []care.HealthSection, err error) {
	facts, err := decode(d, encoded)
	if err != nil {
		return nil, nil, err
	}
	f := newFolder()
	for _, s := range statements(facts) {
		f.statement(s)
	}
	rows, cut = f.done()
	return rows, cut, nil
}

// statements are the fills, orders and results of a record. What it says of somebody else is left out.
func statements(facts fhir.Facts) []fhir.Statement {
	var out []fhir.Statement
	add := func(kind, exchange, other string, what fhir.Concept, at fhir.Time) *fhir.Statement {
		if other != "" {
			return nil
		}
		s := fhir.Statement{Kind: kind, What: what, At: at}
		if exchange != "" {
			s.Exchanges = []string{exchange}
		}
		if system := fhir.System(what.System); system != "" && what.Code != "" {
			s.Codes = []fhir.Concept{{System: system, Code: what.Code}}
		}
		out = append(out, s)
		return &out[len(out)-1]
	}
	for i := range facts.Dispenses {
		d := &facts.Dispenses[i]
		if s := add("MedicationDispense", d.Exchange, d.OtherSubject, d.Drug, d.Filled()); s != nil {
			s.Fill, s.Status, s.Dose = d, d.Status, d.Dosage
		}
	}
	for i := range facts.Prescriptions {
		p := &facts.Prescriptions[i]
		if s := add("MedicationRequest", p.Exchange, p.OtherSubject, p.Drug, p.Authored); s != nil {
			s.Order, s.Status, s.Dose = p, p.Status, p.Dosage
		}
	}
	value := func(o *fhir.Observation, r *fhir.Report, at fhir.Time, other string) {
		if !o.Effective.IsZero() {
			at = o.Effective
		}
		if s := add("Observation", o.Exchange, other, o.Code, at); s != nil {
			s.Value, s.Report, s.Status = o, r, o.Status
		}
	}
	for i := range facts.Reports {
		r := &facts.Reports[i]
		at := r.Effective
		if at.IsZero() {
			at = r.Issued
		}
		if len(r.Results) == 0 {
			if s := add("DiagnosticReport", r.Exchange, r.OtherSubject, r.Code, at); s != nil && (r.Text != "" || r.Conclusion != "") {
				s.Report, s.What.Text = r, strings.TrimSpace(firstText(r.Name, r.Code.Text))
			} else if s != nil {
				out = out[:len(out)-1]
			}
		}
		for j := range r.Results {
			value(&r.Results[j], r, at, r.OtherSubject)
		}
	}
	for i := range facts.Observations {
		o := &facts.Observations[i]
		value(o, nil, o.Issued, o.OtherSubject)
	}
	return out
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
