package registry

import (
	"fmt"
	"html"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// packagesFrom are the variables that send pip to the index at an address.
func packagesFrom(host string) []string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return []string{"PIP_INDEX_URL=http://" + host + "/packages/simple/", "PIP_TRUSTED_HOST=" + name}
}

// separators are what names of projects may write differently.
var separators = regexp.MustCompile(`[-_.]+`)

func normal(project string) string { return separators.ReplaceAllString(strings.ToLower(project), "-") }

// project is the project that a wheel belongs to.
func project(wheel string) string {
	name, _, _ := strings.Cut(wheel, "-")
	return normal(name)
}

// servePackages is a simple index: /packages/simple/, one page a project, and
// /packages/files/. A project that is not here is answered with 404, as any
// index does.
func (g *Registry) servePackages(w http.ResponseWriter, r *http.Request) {
	dir := g.cfg.Store.Packages()
	rest := strings.TrimPrefix(r.URL.Path, "/packages/")
	if file, ok := strings.CutPrefix(rest, "files/"); ok && strings.HasSuffix(file, ".whl") && file == path.Base(file) {
		http.ServeFile(w, r, filepath.Join(dir, file))
		return
	}
	name, ok := strings.CutPrefix(rest, "simple/")
	entries, err := os.ReadDir(dir)
	if !ok || err != nil {
		http.NotFound(w, r)
		return
	}
	var links []string
	for _, e := range entries {
		switch {
		case !strings.HasSuffix(e.Name(), ".whl"):
		case name == "":
			links = append(links, fmt.Sprintf(`<a href="%s/">%[1]s</a>`, html.EscapeString(project(e.Name()))))
		case project(e.Name()) == normal(strings.TrimSuffix(name, "/")):
			links = append(links, fmt.Sprintf(`<a href="/packages/files/%s">%[1]s</a>`, html.EscapeString(e.Name())))
		}
	}
	if len(links) == 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!DOCTYPE html>\n<title>packages</title>\n%s\n", strings.Join(slices.Compact(links), "<br>\n"))
}
