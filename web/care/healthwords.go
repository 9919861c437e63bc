package care

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// plainLetters takes the accents off the names that medicine has them in: Ménière, Sjögren, Guillain-Barré.
var plainLetters = strings.NewReplacer("á", "a", "à", "a", "â", "a", "ä", "a", "ã", "a", "å", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "ì", "i", "î", "i", "ï", "i", "ñ", "n", "ó", "o", "ò", "o", "ô", "o", "ö", "o", "õ", "o", "ø", "o", "ú", "u", "ù", "u", "û", "u", "ü", "u")

// PlainWords is a text as two sources are compared by it: in lower case, without accents, punctuation and what terminologies
// put behind a name, such as "(disorder)".
func PlainWords(text string) string {
	plain := qualifier.ReplaceAllString(plainLetters.Replace(strings.ToLower(text)), "")
	return strings.Join(strings.FieldsFunc(plain, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }), " ")
}

// qualifier is the kind of a SNOMED CT concept behind its name.
var qualifier = regexp.MustCompile(`\s*\((?:disorder|finding|situation|procedure|substance|product|organism|event|observable entity|medicinal product|clinical drug|morphologic abnormality|regime/therapy|person|qualifier value)\)\s*$`)

// allergyNoise are words around the name of a substance.
var allergyNoise = map[string]bool{"allergy": true, "allergic": true, "reaction": true, "to": true, "intolerance": true, "sensitivity": true, "hypersensitivity": true}

// SubstanceWords are the [PlainWords] of an allergy without what says that it is one, in the singular.
func SubstanceWords(text string) string {
	var out []string
	for _, w := range strings.Fields(PlainWords(text)) {
		if allergyNoise[w] {
			continue
		}
		if len(w) > 4 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is") {
			w = w[:len(w)-1]
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

var (
	bracketed  = regexp.MustCompile(`\[[^\]]*\]`)
	thousands  = regexp.MustCompile(`(\d),(\d{3})\b`)
	glued      = regexp.MustCompile(`(\d)-?(mg|mcg|ug|g|ml|meq|unt|units?|iu|%|hr|mmol)\b`)
	decimal    = regexp.MustCompile(`(\d*)\.(\d+)`)
	drugBreaks = regexp.MustCompile(`[^a-z0-9.%/]+`)
	amount     = regexp.MustCompile(`\b\d.*`)
)

// drugNoise are the form and the way of a drug, which one source says and another leaves out, and a salt that no other of
// the same drug stands beside. What tells two drugs apart stays: the strength, the other salts, extended release.
var drugNoise = map[string]bool{
	"oral": true, "tablet": true, "tablets": true, "tab": true, "tabs": true, "capsule": true, "capsules": true, "cap": true, "caps": true,
	"film": true, "coated": true, "fc": true, "po": true, "hcl": true, "hydrochloride": true, "product": true, "usp": true, "by": true, "mouth": true,
}

// drugSame are words that mean the same.
var drugSame = map[string]string{
	"milligram": "mg", "milligrams": "mg", "mgs": "mg", "microgram": "mcg", "micrograms": "mcg", "ug": "mcg", "gram": "g", "grams": "g",
	"unt": "unit", "units": "unit", "iu": "unit", "milliliter": "ml", "milliliters": "ml", "hour": "hr", "hours": "hr",
	"succ": "succinate", "tart": "tartrate", "sod": "sodium", "extended-release": "er", "xr": "er",
}

// DrugWords are the words of a drug by which two sources are compared: substance and strength, "lisinopril 10 mg" for
// "LISINOPRIL 10MG TAB" and for "lisinopril 10 MG Oral Tablet [Zestril]".
func DrugWords(text string) string {
	s := strings.ToLower(qualifier.ReplaceAllString(bracketed.ReplaceAllString(text, " "), ""))
	s = thousands.ReplaceAllString(s, "$1$2")
	s = glued.ReplaceAllString(s, "$1 $2")
	s = decimal.ReplaceAllStringFunc(s, func(n string) string {
		whole, rest, _ := strings.Cut(n, ".")
		rest = strings.TrimRight(rest, "0")
		if whole == "" {
			whole = "0"
		}
		if rest == "" {
			return whole
		}
		return whole + "." + rest
	})
	s = strings.ReplaceAll(s, "extended release", "er")
	s = strings.ReplaceAll(s, "delayed release", "dr")
	var names, amounts, release []string
	words := strings.Fields(drugBreaks.ReplaceAllString(s, " "))
	for i, w := range words {
		w = strings.Trim(w, "./")
		parts := strings.Split(w, "/")
		for j, part := range parts {
			if same := drugSame[part]; same != "" {
				parts[j] = same
			}
		}
		w = strings.Join(parts, "/")
		digit := w != "" && w[0] >= '0' && w[0] <= '9'
		behind := i > 0 && words[i-1][0] >= '0' && words[i-1][0] <= '9' // a unit
		switch {
		case w == "", drugNoise[w]:
		case w == "er", w == "dr", w == "sr", w == "xl", w == "cr", w == "hr" && behind:
			if w == "hr" {
				release, amounts = append(release, amounts[len(amounts)-1]), amounts[:len(amounts)-1]
			}
			release = append(release, w)
		case digit, behind && drugUnits[parts[0]]:
			amounts = append(amounts, w)
		default:
			names = append(names, w)
		}
	}
	return strings.Join(slices.Concat(names, amounts, release), " ")
}

var drugUnits = map[string]bool{"mg": true, "mcg": true, "g": true, "ml": true, "meq": true, "unit": true, "%": true, "mmol": true}

// Strength is the amounts in the words of a drug; "" where there are none. The code of a substance alone fits drugs of any
// strength.
func Strength(words string) string {
	return amount.FindString(words)
}

// denials are the codes of SNOMED CT that say that there is none, with their words.
var denials = map[string]string{
	"716186003": "No known allergies", "160244002": "No known allergies", "409137002": "No known drug allergies",
	"428607008": "No known environmental allergies", "429625007": "No known food allergies", "428197003": "No known insect allergies",
	"716184000": "No known latex allergy", "1003774007": "No known latex allergy",
	"160245001": "No current problems", "787481004": "No known medications",
}

// deniedTexts are the same in the words of senders, as [PlainWords].
var deniedTexts = map[string]string{
	"no known allergies": "No known allergies", "no known allergy": "No known allergies", "nka": "No known allergies", "allergies none known": "No known allergies",
	"no known drug allergies": "No known drug allergies", "no known drug allergy": "No known drug allergies", "nkda": "No known drug allergies",
	"no known medication allergies": "No known drug allergies", "no known food allergies": "No known food allergies", "no known food allergy": "No known food allergies",
	"no known environmental allergies": "No known environmental allergies", "no known latex allergy": "No known latex allergy",
	"no known problems": "No current problems", "no current problems": "No current problems", "no active problems": "No current problems",
	"no current problems or disability": "No current problems",
	"no known medications":              "No known medications", "no current medications": "No known medications", "not on any medication": "No known medications",
	"patient not on self medications": "No known medications",
}

// Denial is what an explicit "no known …" says, by the code of SNOMED CT or else by its words; "" for anything else.
func Denial(snomed, text string) string {
	if words := denials[snomed]; words != "" {
		return words
	}
	return deniedTexts[PlainWords(text)]
}
