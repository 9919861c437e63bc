package views

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// Point is one value of a trend.
type Point struct {
	At    time.Time
	Value float64
}

// Size of a sparkline in user units.
const (
	sparkWidth  = 96
	sparkHeight = 24
	sparkMargin = 3
)

// spark is a trend as a line: its points, the band of the reference range, and words for who cannot see it.
type spark struct {
	Line   string
	LastX  string
	LastY  string
	BandY  string
	BandH  string
	Words  string
	Banded bool
}

// spark draws the trend; false where there are fewer than two values.
func (t Trend) spark() (spark, bool) {
	points := slices.Clone(t.Points)
	slices.SortStableFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
	if len(points) < 2 {
		return spark{}, false
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		low, high = min(low, p.Value), max(high, p.Value)
	}
	for _, bound := range []*float64{t.Low, t.High} {
		if bound != nil {
			low, high = min(low, *bound), max(high, *bound)
		}
	}
	if high == low {
		low, high = low-1, high+1
	}
	first, last := points[0].At, points[len(points)-1].At
	x := func(i int) float64 {
		if span := last.Sub(first); span > 0 {
			return sparkMargin + (sparkWidth-2*sparkMargin)*float64(points[i].At.Sub(first))/float64(span)
		}
		return sparkMargin + (sparkWidth-2*sparkMargin)*float64(i)/float64(len(points)-1)
	}
	y := func(v float64) float64 {
		return sparkMargin + (sparkHeight-2*sparkMargin)*(high-v)/(high-low)
	}
	var s spark
	var line, words []string
	for i, p := range points {
		line = append(line, coordinate(x(i))+","+coordinate(y(p.Value)))
		words = append(words, strconv.FormatFloat(p.Value, 'g', -1, 64))
	}
	s.Line, s.Words = strings.Join(line, " "), fmt.Sprintf("%d values, oldest first: %s", len(points), strings.Join(words, ", "))
	s.LastX, s.LastY = coordinate(x(len(points)-1)), coordinate(y(points[len(points)-1].Value))
	if t.Low != nil && t.High != nil {
		s.Banded, s.BandY, s.BandH = true, coordinate(y(*t.High)), coordinate(y(*t.Low)-y(*t.High))
	}
	return s, true
}

func coordinate(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// Summary is a discharge summary with its sections.
type Summary struct {
	ID       int64
	Title    string
	Written  string
	Authors  []string
	Sections []Section
	Missing  []string // of the six that care teams ask for
}

// Section is one part of a document, as plain text.
type Section struct {
	Title string
	Text  string
	Cut   bool
}

// FileRow is one download of a patient.
type FileRow struct {
	ID         int64
	Name       string
	Purpose    string
	State      string
	Stored     bool
	Failed     bool
	Size       string
	Type       string // what it looks like
	Mismatch   string // "" unless it was sent as something else
	Queued     Time
	CanPreview bool
	CanAgain   bool   // the sender can be asked for it again
	AgainNote  string // where it cannot, or was: in a sentence; "" = nothing to say
}

func (f FileRow) againURL() string { return string(f.url()) + "/again" }

func (f FileRow) url() templ.SafeURL {
	return templ.SafeURL("/files/" + strconv.FormatInt(f.ID, 10))
}

func (f FileRow) previewURL() templ.SafeURL { return f.url() + "/preview" }

func (f FileRow) spreadsheetURL() templ.SafeURL { return f.url() + "/spreadsheet" }

// purposeWord is what a download is, in words.
func (f FileRow) purposeWord() string {
	words := map[string]string{
		"adt": "Record of a stay", "pharmacy": "Record of a fill", "lab": "Record of results", "summary": "Discharge summary",
		"consolidated": "Consolidated data", "document": "Document", "message": "Message", "attachment": "Attachment", "import": "Import result",
	}
	if w, ok := words[f.Purpose]; ok {
		return w
	}
	return f.Purpose
}

// Bytes is a size as people read it.
func Bytes(n int64) string {
	const k = 1024
	switch {
	case n < k:
		return fmt.Sprintf("%d B", n)
	case n < k*k:
		return fmt.Sprintf("%.0f KB", float64(n)/k)
	case n < k*k*k:
		return fmt.Sprintf("%.1f MB", float64(n)/k/k)
	default:
		return fmt.Sprintf("%.1f GB", float64(n)/k/k/k)
	}
}

// Preview is a file as text that we made ourselves.
type Preview struct {
	Frame
	File     FileRow
	Message  int64   // the secure message it came with; 0 = none
	Patient  Patient // ID "" = none
	Note     string  // what is left out; "" = nothing
	Sections []Section
	Header   []string // of a table
	Table    [][]string

	Spreadsheet bool // it can be had as a table without formulas
}

func patientPath(id string) templ.SafeURL { return templ.SafeURL("/patients/" + url.PathEscape(id)) }
