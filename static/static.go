// Package static holds the style, scripts and icons, served under addresses that change with their content.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

//go:embed *.css *.js *.svg
var files embed.FS

// Prefix is where the files are served.
const Prefix = "/static/"

// File is one static file.
type File struct {
	Body []byte
	Type string        // Content-Type
	Gzip func() []byte // the body, compressed once for all who ask
}

var (
	urls   = map[string]string{} // name → address
	byPath = map[string]File{}   // address → file
)

func init() {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // the files are part of the binary: only a broken build gets here
	}
	for _, e := range entries {
		body, err := fs.ReadFile(files, e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		url := Prefix + strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		urls[e.Name()] = url
		byPath[url] = File{Body: body, Type: types[ext], Gzip: sync.OnceValue(func() []byte { return fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestCompression) })}
	}
}

var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// URL is the address of the file called name; "" where there is none.
func URL(name string) string { return urls[name] }

// At returns the file at an address.
func At(url string) (File, bool) {
	f, ok := byPath[url]
	return f, ok
}
