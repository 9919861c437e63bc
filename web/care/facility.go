package care

import (
	"slices"
	"strings"
	"unicode"
)

// facilityShort are the usual short forms of words in the names of hospitals.
var facilityShort = map[string]string{
	"cmty": "community", "comm": "community", "commun": "community", "ctr": "center", "cntr": "center", "centre": "center", "dept": "department",
	"gen": "general", "genl": "general", "hlth": "health", "hosp": "hospital", "hospitals": "hospital", "hsp": "hospital", "med": "medical", "medcl": "medical",
	"mem": "memorial", "meml": "memorial", "mt": "mount", "nat": "national", "natl": "national", "reg": "regional", "regl": "regional",
	"st": "saint", "ste": "saint", "svc": "services", "svcs": "services", "sys": "system", "univ": "university",
}

// facilityFiller are words that tell no hospital from another.
var facilityFiller = map[string]bool{
	"a": true, "and": true, "at": true, "campus": true, "center": true, "health": true, "healthcare": true, "hospital": true, "inc": true, "llc": true,
	"main": true, "medical": true, "of": true, "services": true, "system": true, "the": true,
}

// facilityRank are words that many hospitals share, but that no hospital has two of: Birchwood General is not Birchwood
// Memorial.
var facilityRank = map[string]bool{
	"community": true, "general": true, "memorial": true, "national": true, "regional": true, "university": true,
}

// facilityWords splits the name of a hospital into the words that tell it apart and those that many share.
func facilityWords(name string) (own, rank, all []string) {
	words := strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(name, "'", ""), "’", "")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for _, w := range words {
		if long := facilityShort[w]; long != "" {
			w = long
		}
		all = append(all, w)
		switch {
		case facilityFiller[w]:
		case facilityRank[w]:
			rank = append(rank, w)
		default:
			own = append(own, w)
		}
	}
	return own, rank, all
}

// SameFacility says whether two names can be spellings of one hospital: "Larkspur Comm Hosp - Main" and "Larkspur Community
// Hospital". The words that tell hospitals apart must be the same, whatever their order, or short forms of each other; words
// that many share, such as "memorial", must not contradict. An empty name is no hospital.
func SameFacility(a, b string) bool {
	ownA, rankA, allA := facilityWords(a)
	ownB, rankB, allB := facilityWords(b)
	if len(ownA) == 0 || len(ownB) == 0 { // nothing but words that many share
		slices.Sort(allA)
		slices.Sort(allB)
		return len(allA) > 0 && slices.Equal(allA, allB)
	}
	if len(rankA) > 0 && len(rankB) > 0 && !slices.ContainsFunc(rankA, func(w string) bool { return slices.Contains(rankB, w) }) {
		return false
	}
	return coversWords(ownA, ownB) && coversWords(ownB, ownA)
}

// coversWords says whether each word of a stands in b, in full or short.
func coversWords(a, b []string) bool {
	for _, w := range a {
		if !slices.ContainsFunc(b, func(v string) bool { return w == v || shortens(w, v) || shortens(v, w) }) {
			return false
		}
	}
	return true
}

// shortens says whether short is made of the letters of long in their order, from the first one on, without most of its
// vowels: "vly" for valley. A beginning of three letters or more is a short form, too.
func shortens(short, long string) bool {
	if len(short) < 3 || len(short) >= len(long) || short[0] != long[0] || strings.ContainsAny(short, "0123456789") {
		return false
	}
	if strings.HasPrefix(long, short) {
		return true
	}
	if strings.ContainsAny(short[1:], "aeiou") {
		return false
	}
	rest := long
	for _, r := range short {
		i := strings.IndexRune(rest, r)
		if i < 0 {
			return false
		}
		rest = rest[i+len(string(r)):]
	}
	return true
}
