// Package browser tests the pages in a real browser: what a person sees, clicks and types, with a whole server behind
// it. The tests need Chromium and run with `go test -tags browser ./web/browser`; nothing of it is part of the program.
package browser
