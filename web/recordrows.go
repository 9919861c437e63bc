package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// pulled is a request with the files of data behind it, by the part with which they came.
type pulled struct {
	db.Pull
	files map[int64][]db.PullFile
}

// withFiles reads the files of data behind requests.
func withFiles(ctx context.Context, v db.Snapshot, list []db.Pull) ([]pulled, error) {
	var ids []int64
	for _, p := range list {
		if p.Kind != care.PullDocuments {
			ids = append(ids, p.ID)
		}
	}
	files, err := v.PullFiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	byPart := map[int64][]db.PullFile{}
	for _, f := range files {
		byPart[f.PartID] = append(byPart[f.PartID], f)
	}
	out := make([]pulled, len(list))
	for i, p := range list {
		out[i] = pulled{p, byPart}
	}
	return out, nil
}

// pullRow puts a request into the words people read.
func (w wording) pullRow(p pulled) views.PullRow {
	pull := care.FoldPull(p.Kind, p.Parts)
	row := views.PullRow{
		ID: p.ID, Patient: patientView(p.Patient), RequestID: p.RequestID,
		Received: w.At(p.ReceivedAt), Last: w.At(pull.Last),
	}
	for _, d := range pull.Data {
		row.Data = append(row.Data, views.Pair(d))
	}
	switch p.Kind {
	case care.PullQuery:
		row.View, row.Columns = views.RecordQueries, w.sources(pull, p.files)
	case care.PullConsolidated:
		row.View = views.RecordConsolidated
		w.consolidated(&row, p, pull)
	case care.PullDocuments:
		row.View, row.Marks, row.Tally = views.RecordDocuments, documentMarks(pull), tally(pull, p.Documents)
	}
	return row
}

// sources is a network query as a row of the matrix: HIE, pharmacy, laboratory.
func (w wording) sources(pull care.Pull, files map[int64][]db.PullFile) []views.SourceColumn {
	columns := []views.SourceColumn{{Label: "HIE"}, {Label: "Pharmacy"}, {Label: "Lab"}}
	for _, a := range pull.Answers {
		i := max(slices.Index([]string{care.PlaceHIE, care.PlacePharmacy, care.PlaceLab}, a.Place), 0)
		columns[i].Answers = append(columns[i].Answers, w.answer(a, files))
	}
	return columns
}

func (w wording) answer(a care.Answer, files map[int64][]db.PullFile) views.Answer {
	out := views.Answer{Source: a.Source, Mark: statusMark(a.Status), At: w.At(a.At), FirstAt: w.At(a.FirstAt), First: a.First && !a.Ended}
	if out.First {
		out.Mark = views.Mark{Tone: "out", Text: "First data ready", Help: "Some of the data can be read. The source has not said that it is done."}
	}
	if a.First && a.Ended {
		out.Took = out.At.Since(out.FirstAt)
	}
	for _, part := range slices.Backward(a.Parts) { // the latest data; what came before is the same or less
		if len(files[part]) == 0 {
			continue
		}
		for _, f := range files[part] {
			out.Files = append(out.Files, w.dataFile(f))
		}
		break
	}
	return out
}

// statusMark is a status of the sender's as a word with a shape. One that is not known is shown as it was sent.
func statusMark(status string) views.Mark {
	switch care.Word(status) {
	case care.Completed:
		return views.Mark{Tone: "ok", Text: "Completed"}
	case care.Failed:
		return views.Mark{Tone: "bad", Text: "Failed"}
	case care.Processing:
		return views.Mark{Tone: "out", Text: "Processing"}
	case "":
		return views.Mark{Tone: "odd", Text: "Status not sent"}
	default:
		return views.Mark{Tone: "odd", Text: "“" + status + "”", Help: "The sender’s own word; Carebell does not know it"}
	}
}

func (w wording) dataFile(f db.PullFile) views.DataFile {
	return views.DataFile{FileRow: w.file(f.Download), Format: dataFormat(f.Download), Contents: contents(f.Counts, 3), All: contents(f.Counts, len(f.Counts))}
}

// dataFormat is what kind of file it is, and how it came where that is not the same.
func dataFormat(d db.Download) string {
	is := formatWord(d.SniffedType)
	if came := formatWord(d.ClaimedType); came == "gzip" && is != came {
		return is + ", came as gzip"
	}
	return is
}

// formatWord is a media type as people call it.
func formatWord(mediaType string) string {
	if t, _, err := mime.ParseMediaType(mediaType); err == nil {
		mediaType = t
	}
	words := map[string]string{
		"application/json": "JSON", "application/fhir+json": "JSON", "application/gzip": "gzip", "application/x-gzip": "gzip",
		"application/pdf": "PDF", "text/html": "HTML", "application/xml": "XML", "text/plain": "text", "application/octet-stream": "data", "": "data",
	}
	if w, ok := words[mediaType]; ok {
		return w
	}
	return mediaType
}

// contents says how many resources of which type there are, the most frequent first: "40 observations, 12 conditions
// and 3 more types". "" where nothing is known.
func contents(counts map[string]int, most int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names[:min(most, len(names))] {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], resourceWord(name, counts[name])))
	}
	text := strings.Join(parts, ", ")
	switch more := len(names) - len(parts); {
	case more == 1:
		text += " and 1 more type"
	case more > 1:
		text += fmt.Sprintf(" and %d more types", more)
	}
	return text
}

// resourceWord is a FHIR resource type as people say it: MedicationRequest is "medication requests" where n is not 1.
func resourceWord(name string, n int) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	word := b.String()
	stem, ends := strings.CutSuffix(word, "y")
	switch {
	case n == 1:
		return word
	case ends && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") && !strings.HasSuffix(stem, "o"):
		return stem + "ies"
	default:
		return word + "s"
	}
}

// consolidated puts the answer to a consolidated query into words.
func (w wording) consolidated(row *views.PullRow, p pulled, pull care.Pull) {
	for _, part := range pull.Steps {
		row.Marks = []views.Mark{dataMark(part)}
		row.Filters, row.Contents = filterWords(part.Filters), contents(part.Counts, 6)
		row.Formats = offeredAs(part.Formats)
	}
	for _, part := range p.Parts {
		for _, f := range p.files[part.ID] {
			file := w.dataFile(f)
			file.Contents = contents(f.Counts, 6)
			row.Files = append(row.Files, file)
		}
	}
}

func dataMark(part care.Part) views.Mark {
	switch word := care.Word(part.Status); {
	case word == care.Completed && !part.Bundle:
		return views.Mark{Tone: "odd", Text: "Completed, no bundle sent", Help: "The message says that it is done and holds nothing to read"}
	case word == care.Completed && part.Entries == 0:
		return views.Mark{Tone: "none", Text: "No data", Help: "The networks know nothing of this patient that fits"}
	default:
		return statusMark(part.Status)
	}
}

// filterWords is what a consolidated query was narrowed to.
func filterWords(filters []care.Pair) string {
	if len(filters) == 0 {
		return "filters not sent"
	}
	var what, rest []string
	from, to := "", ""
	for _, f := range filters {
		switch f.Name {
		case "resources":
			for _, name := range strings.FieldsFunc(f.Value, func(r rune) bool { return strings.ContainsRune(`,;[]" `, r) }) {
				what = append(what, resourceWord(name, 2))
			}
		case "dateFrom":
			from = "from " + filterDay(f.Value)
		case "dateTo":
			to = "to " + filterDay(f.Value)
		default:
			rest = append(rest, joined(": ", f.Name, f.Value))
		}
	}
	only := "all resources"
	if len(what) > 0 {
		only = "only " + strings.Join(what, ", ")
	}
	return strings.Join(append([]string{joined(" ", only, from, to)}, rest...), " · ")
}

// filterDay is a day as people read it; what is not one is shown as it came.
func filterDay(text string) string {
	if d, err := time.Parse(time.DateOnly, text); err == nil {
		return d.Format("2 Jan 2006")
	}
	return text
}

// offeredAs names the formats of an answer; of several of the same data one is fetched.
func offeredAs(formats []string) string {
	var words []string
	for _, f := range formats {
		if w := formatWord(f); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	if len(words) < 2 {
		return ""
	}
	return "offered as " + strings.Join(words, " and ") + "; the smaller one is fetched"
}

// documentMarks says how a list of documents stands: its pages, and the older events by name.
func documentMarks(pull care.Pull) (marks []views.Mark) {
	if pull.Pages != nil {
		marks = append(marks, pagesMark(*pull.Pages))
	}
	for _, part := range pull.Steps {
		m := statusMark(part.Status)
		switch part.Step {
		case care.StepPage:
			if m.Tone == "ok" { // what is usual
				continue
			}
			name := "Page not numbered: "
			if part.Page > 0 {
				name = fmt.Sprintf("Page %d: ", part.Page)
			}
			m.Text = name + lower(m.Text)
		case care.StepLinks:
			m.Text = "List with links: " + lower(m.Text)
		case care.StepDownload:
			m.Text = "Document query: " + lower(m.Text)
		case care.StepConversion:
			m.Text = "Conversion: " + lower(m.Text)
		default:
		}
		marks = append(marks, m)
	}
	return marks
}

func lower(text string) string {
	r := []rune(text)
	if len(r) > 0 {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}

// mostRanges is how many gaps are named one by one.
const mostRanges = 5

// pagesMark is "pages 3 of 4, page 2 missing".
func pagesMark(p care.Pages) views.Mark {
	if p.Total == 0 {
		return views.Mark{Tone: "odd", Text: views.Counted(int(p.Heard)+p.Unnumbered, "page") + ", how many there are was not sent"}
	}
	text := fmt.Sprintf("Pages %d of %d", p.Heard, p.Total)
	if len(p.Missing) == 0 {
		return views.Mark{Tone: "ok", Text: text}
	}
	var names []string
	missing := int64(0)
	for i, r := range p.Missing {
		missing += r.To - r.From + 1
		switch {
		case i >= mostRanges:
		case r.From == r.To:
			names = append(names, strconv.FormatInt(r.From, 10))
		default:
			names = append(names, fmt.Sprintf("%d to %d", r.From, r.To))
		}
	}
	if len(p.Missing) > mostRanges {
		names = append(names, "more")
	}
	text += ", " + views.Plural(int(missing), "page") + " " + strings.Join(names, ", ") + " missing"
	if p.Unnumbered > 0 {
		text += fmt.Sprintf(", %d not numbered", p.Unnumbered)
	}
	return views.Mark{Tone: "out", Text: text, Help: "Pages come by themselves, in any order. One that stays away can be sent again from Metriport’s dashboard."}
}

// tally says how many documents were listed, and what became of their files.
func tally(pull care.Pull, d db.Tally) []string {
	first := views.Counted(d.Listed, "document")
	if pull.Pages != nil && pull.Pages.Items > 0 {
		first = views.Count(d.Listed) + " of " + views.Counted(int(pull.Pages.Items), "document")
	}
	out := []string{first}
	for _, part := range []struct {
		n    int
		word string
	}{{d.Stored, "stored"}, {d.Waiting, "being fetched"}, {d.Failed, "failed"}, {d.Bare, "listed without a file"}} {
		if part.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return out
}
