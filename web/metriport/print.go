package metriport

import (
	"crypto/sha256"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// Print is a hash of all that a message says apart from what differs when the sender gives it again: of `meta` it has the
// type and the requestId alone, and no link. The order of members and what is null make no difference. It returns nil for
// a body that cannot be read.
func Print(body []byte) []byte {
	var v map[string]any
	if json.Unmarshal(trimBOM(body), &v, loose) != nil {
		return nil
	}
	meta, _ := v["meta"].(map[string]any)
	v["meta"] = map[string]any{"type": meta["type"], "requestId": meta["requestId"]}
	text, err := json.Marshal(said(v), json.Deterministic(true), loose)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// said is a value without links, nulls and the white space around words.
func said(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if v[name] = said(member); v[name] == nil {
				delete(v, name)
			}
		}
	case []any:
		for i, item := range v {
			v[i] = said(item)
		}
	case string:
		v = strings.TrimSpace(v)
		if strings.HasPrefix(v, "https://") || strings.HasPrefix(v, "http://") {
			return ""
		}
		return v
	}
	return v
}

// SameFiles says whether the links of two messages lead to the same objects, each at its place: only their signatures
// differ, as after signing an object anew.
func SameFiles(a, b []Link) bool {
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	for i := range a {
		if object := objectOf(a[i].URL); object == "" || a[i].Place != b[i].Place || object != objectOf(b[i].URL) {
			return false
		}
	}
	return true
}

// objectOf is what a link leads to, without what signs it.
func objectOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host) + u.EscapedPath()
}
