package fhir

import "strings"

// Summary is a discharge summary. Source: FHIR R4 Composition; of several, the one of type 18842-5, then the latest.
type Summary struct {
	ID           string    `json:"id,omitempty"`
	Status       string    `json:"status,omitempty"` // preliminary, final, amended, entered-in-error
	Title        string    `json:"title,omitempty"`
	Type         Concept   `json:"type,omitzero"`
	Date         Time      `json:"date,omitzero"`
	Authors      []string  `json:"authors,omitempty"`
	EncounterID  string    `json:"encounterId,omitempty"`  // Composition.encounter: the id of one of Facts.Encounters
	Sections     []Section `json:"sections,omitempty"`     // in the order of the document
	OtherSubject string    `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string    `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

// The six things that care teams ask a discharge summary for.
const (
	SectionDiagnosis    = "diagnosis"    // LOINC 11535-2
	SectionCourse       = "course"       // LOINC 8648-8
	SectionProcedures   = "procedures"   // LOINC 47519-4
	SectionMedications  = "medications"  // LOINC 10183-2
	SectionInstructions = "instructions" // LOINC 8653-8, else 74213-0
	SectionPlan         = "plan"         // LOINC 18776-5: plan and follow-up
)

// Section is one part of a document. Source: FHIR R4 Composition.section.
type Section struct {
	Kind  string `json:"kind,omitempty"` // one of the six Section words; "" for a section that is none of them
	Code  string `json:"code,omitempty"` // LOINC
	Title string `json:"title,omitempty"`
	Text  string `json:"text,omitempty"` // plain text of several lines, to be escaped like any other
	Cut   bool   `json:"cut,omitzero"`   // there was more text
}

// Section returns the section of one of the six kinds, and whether there is one with text.
func (s *Summary) Section(kind string) (Section, bool) {
	if s == nil || kind == "" {
		return Section{}, false
	}
	for _, sec := range s.Sections {
		if sec.Kind == kind && sec.Text != "" {
			return sec, true
		}
	}
	return Section{}, false
}

// LOINC codes of the sections, and of the document.
const (
	loincSummary          = "18842-5"
	loincInstructions     = "8653-8"
	loincInstructionsElse = "74213-0"
)

var sectionKinds = map[string]string{
	"11535-2":             SectionDiagnosis,
	"8648-8":              SectionCourse,
	"47519-4":             SectionProcedures,
	"10183-2":             SectionMedications,
	loincInstructions:     SectionInstructions,
	loincInstructionsElse: SectionInstructions,
	"18776-5":             SectionPlan,
}

type composition struct {
	Summary
	subject, during ref
	authors         []ref
	sections        []section
}

type section struct {
	Section
	entries []ref
}

// composition reads a Composition, and keeps it where it is a better discharge summary than the one at hand.
func (c *from) composition(id string, n *node) {
	f := &composition{
		Summary: Summary{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")), Title: c.line(n.get("title")), Type: c.concept(n.get("type")),
			Date: c.time(n.get("date")),
		},
		subject: c.ref(n.get("subject")), during: c.ref(n.get("encounter")), authors: c.refs(n.get("author"), maxParts),
	}
	if coded(n.get("type"), loincSummary) {
		f.Type.Code = loincSummary
	}
	if old := c.r.summary; old != nil {
		was, is := old.Type.Code == loincSummary, f.Type.Code == loincSummary
		if was && !is || was == is && byTime(old.Date, f.Date, old.ID, f.ID) <= 0 {
			return
		}
	}
	c.sectionsOf(f, n.get("section"), 1)
	c.r.summary = f
}

func (c *from) sectionsOf(f *composition, n *node, level int) {
	for _, e := range n.all() {
		if len(f.sections) == maxParts || level > 4 {
			c.r.cut()
			return
		}
		s := section{entries: c.refs(e.get("entry"), maxResults)}
		s.Title, s.Code = c.line(e.get("title")), c.sectionCode(e.get("code"))
		if s.Title == "" {
			s.Title = c.concept(e.get("code")).Text
		}
		if div := e.get("text", "div"); div.str() != "" {
			text, err := HTMLText(strings.NewReader(div.str()))
			text, cut := clip(text, maxSection)
			if s.Cut = cut || div.cut || err != nil; s.Cut {
				c.r.cut()
			}
			s.Text = c.own(text, maxSection)
		}
		f.sections = append(f.sections, s)
		c.sectionsOf(f, e.get("section"), level+1)
	}
}

// sectionCode is the code that says which of the six a section is, else the first.
func (c *from) sectionCode(n *node) string {
	if coded(n, loincInstructions) {
		return loincInstructions
	}
	for _, coding := range n.get("coding").all() {
		if code := coding.get("code").str(); sectionKinds[code] != "" {
			return code
		}
	}
	return c.concept(n).Code
}

// maxSummary is how much text all sections may have together, in bytes.
const maxSummary = 2 << 20

// finishSummary gives the sections their text: their own narrative and that of the reports they name. A section of the
// six that has none, or is not there, takes the report of its code.
func (r *reader) finishSummary(f *composition) *Summary {
	c := &from{r: r}
	f.EncounterID = r.idOf(f.during, "Encounter")
	f.OtherSubject = r.otherSubject(f.subject)
	for _, to := range f.authors {
		f.Authors = c.add(f.Authors, r.named(to, people...), maxParts)
	}
	has := map[string]bool{}
	for i := range f.sections {
		r.fill(&f.sections[i])
		has[f.sections[i].Code] = has[f.sections[i].Code] || f.sections[i].Text != ""
	}
	for _, h := range r.reports.facts {
		p := h.fact
		if p.claimed || p.Text == "" || sectionKinds[p.section] == "" || has[p.section] {
			continue
		}
		if during := r.idOf(p.during, "Encounter"); during != "" && f.EncounterID != "" && during != f.EncounterID {
			continue
		}
		f.sectionFor(p).read(p)
	}
	room := maxSummary
	for _, s := range f.sections {
		text, cut := clip(s.Text, room)
		if cut {
			s.Cut = true
			r.cut()
		}
		s.Text = text
		room -= len(text)
		s.Kind = sectionKinds[s.Code]
		if s.Code == loincInstructionsElse && has[loincInstructions] {
			s.Kind = ""
		}
		f.Sections = append(f.Sections, s.Section)
	}
	return &f.Summary
}

// sectionFor is the section of a report's code, a new one where there is none.
func (f *composition) sectionFor(p *report) *section {
	for i := range f.sections {
		if f.sections[i].Code == p.section {
			return &f.sections[i]
		}
	}
	f.sections = append(f.sections, section{Section: Section{Code: p.section, Title: p.Code.Text}})
	return &f.sections[len(f.sections)-1]
}

// fill adds what the entries of a section say: the text of reports, else what they are, one a line.
func (r *reader) fill(s *section) {
	var labels []string
	for _, to := range s.entries {
		k := r.find(to)
		if k != nil {
			if p, ok := k.item.(*report); ok && p.Text != "" {
				if s.Code == "" {
					s.Code = p.Code.Code
				}
				s.read(p)
				continue
			}
		}
		labels = (&from{r: r}).add(labels, r.named(to), maxResults)
	}
	if s.Text == "" {
		s.Text = strings.Join(labels, "\n")
	}
}

// read adds the text of a report to a section, unless one says what the other does.
func (s *section) read(p *report) {
	p.claimed = len(p.results) == 0
	s.Cut = s.Cut || p.cut
	own, more := strings.Join(strings.Fields(s.Text), " "), strings.Join(strings.Fields(p.Text), " ")
	switch {
	case strings.Contains(own, more):
	case strings.Contains(more, own):
		s.Text = p.Text
	case len(s.Text) < maxSection:
		s.Text += "\n\n" + p.Text
	default:
		s.Cut = true
	}
}
