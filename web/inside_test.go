package web

import "carebell/db"

// PageRow is a row of the table of pages, for the tests outside of the package.
type PageRow struct {
	Path, View, Menu, Key string
	Sees, Watches         []db.Role // nil = everyone
}

// PageRows are all pages.
func (s *Server) PageRows() (out []PageRow) {
	for _, p := range s.pages {
		out = append(out, PageRow{p.path, p.view, p.menu, p.key, roles[p.access], roles[p.watchers()]})
	}
	return out
}

// Routes are the method and path of every route, as Fiber has them.
func (s *Server) Routes() (out []string) {
	for _, r := range s.table() {
		out = append(out, r.method+" "+r.path)
	}
	for _, p := range s.pages {
		out = append(out, "GET "+p.path)
	}
	return out
}
