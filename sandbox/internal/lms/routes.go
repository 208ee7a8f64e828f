package lms

import (
	"embed"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

//go:embed page
var pageFiles embed.FS

const maxBody = respond.MaxBody

// newRoutes says what answers where. The first part is a platform's; the rest
// is the page's and the tests'.
func (p *Platform) newRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lms/.well-known/openid-configuration", p.configuration)
	mux.HandleFunc("/lms/oauth/authorize", p.authorize)
	mux.HandleFunc("POST /lms/oauth/token", p.token)
	mux.HandleFunc("POST /lms/oauth/register", p.register)
	mux.HandleFunc("GET /lms/jwks", p.serveKeys(func(m *memory) *keyring { return m.Launch }))
	mux.HandleFunc("GET /lms/canvas/jwks", p.serveKeys(func(m *memory) *keyring { return m.Events }))
	mux.HandleFunc("GET /lms/api/lti/courses/{course}/names_and_roles", p.roster)
	mux.HandleFunc("POST /lms/inbox/{box}", p.receive)

	mux.HandleFunc("GET /lms/launch", p.launch)
	mux.HandleFunc("GET /lms/state", p.serveState)
	mux.HandleFunc("GET /lms/live", p.serveLive)

	mux.HandleFunc("GET /lms/courses", p.serveCourses)
	mux.HandleFunc("POST /lms/courses", p.putCourse)
	mux.HandleFunc("POST /lms/courses/{course}/members", p.changeMember)
	mux.HandleFunc("POST /lms/tools", p.putTool)
	mux.HandleFunc("GET /lms/tools", p.serveTools)
	mux.HandleFunc("POST /lms/tools/invite", p.invite)
	mux.HandleFunc("POST /lms/events", p.postEvent)
	mux.HandleFunc("POST /lms/launches", p.postLaunch)
	mux.HandleFunc("GET /lms/deliveries", p.serveDeliveries)
	mux.HandleFunc("POST /lms/deliveries/{id}/replay", p.replay)
	mux.HandleFunc("GET /lms/received", p.serveReceived)
	mux.HandleFunc("PUT /lms/received/{box}", p.putBox)
	mux.HandleFunc("POST /lms/keys/{ring}/{deed}", p.turnKeys)
	mux.HandleFunc("GET /lms/misbehaviours", p.serveScripts)
	mux.HandleFunc("POST /lms/misbehaviours", p.addScript)
	mux.HandleFunc("DELETE /lms/misbehaviours", p.deleteScripts)
	mux.HandleFunc("DELETE /lms/misbehaviours/{id}", p.deleteScripts)

	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // page is a valid path: it is embedded above
	}
	mux.Handle("/lms/", p.secured(http.StripPrefix("/lms", http.FileServerFS(files))))
	return mux
}

// secured keeps the page to its own files and the tools' frames, and to the
// issuer's own host: what a tool's frame says to its parent is addressed there.
func (p *Platform) secured(h http.Handler) http.Handler {
	host := strings.TrimPrefix(strings.TrimPrefix(p.origin(), "http://"), "https://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host && strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, p.origin()+r.URL.RequestURI(), http.StatusFound)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-src *; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		h.ServeHTTP(w, r)
	})
}

// serveKeys serves the public part of a ring.
func (p *Platform) serveKeys(ring func(*memory) *keyring) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		set, err := ring(p.memory).public()
		s := p.script(onKeys, "")
		p.mu.Unlock()
		switch {
		case err != nil:
			respond.Error(w, p.cfg.Log, err)
		case s == nil:
			w.Header().Set("Cache-Control", "max-age=300")
			respond.JSON(w, http.StatusOK, set)
		case s.Kind == "keys-500":
			http.Error(w, "down", http.StatusInternalServerError)
		case s.Kind == "keys-elsewhere":
			w.Header().Set("Location", "http://127.0.0.1:1/jwks")
			w.WriteHeader(http.StatusFound)
		default:
			_, _ = io.WriteString(w, "<html>not keys") // the client is gone when this fails
		}
	}
}

// turnKeys rotates the keys of launches or events as platforms do each month,
// or replaces all of them at once.
func (p *Platform) turnKeys(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rings := map[string]**keyring{"launches": &p.memory.Launch, "events": &p.memory.Events}
	ring, known := rings[r.PathValue("ring")]
	if !known {
		respond.Error(w, p.cfg.Log, respond.Missing("there are keys of launches and of events"))
		return
	}
	var next *keyring
	var err error
	switch r.PathValue("deed") {
	case "rotate":
		next, err = (*ring).rotated()
	case "replace":
		next, err = newKeyring()
	default:
		err = respond.Missing("keys are rotated or replaced")
	}
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	*ring = next
	p.changed()
	respond.JSON(w, http.StatusOK, map[string]string{"current": next.Current.ID})
}

// tell answers with what f says under the lock. A client that reads slowly
// holds nobody else up.
func (p *Platform) tell(w http.ResponseWriter, f func() (any, error)) {
	p.mu.Lock()
	body, err := f()
	var raw json.RawMessage
	if err == nil {
		raw, err = json.Marshal(body)
	}
	p.mu.Unlock()
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, raw)
}
