package standin

import (
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what a page shows besides saying that it is a stand-in.
type page struct {
	Title     string
	StandsFor string // "a JupyterHub"
	Message   string
	Error     string
	Refresh   int    // seconds after which the browser asks again
	Login     *login // a form
	Rows      []row
	Links     []link
}

type login struct {
	Action, XSRF string
	Username     bool // also ask who it is
}

type row struct{ Name, Value string }

type link struct{ URL, Text string }

func (b *Backends) page(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	if err := pageTemplate.Execute(w, p); err != nil {
		b.log.Debug("page broken off", "title", p.Title, "err", err)
	}
}
