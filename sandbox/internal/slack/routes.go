package slack

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

//go:embed page
var pageFiles embed.FS

// newRoutes says what answers where. Everything but the Web API, response_url
// and the socket is the page's and the tests': Slack has nothing like it.
func (e *Emulator) newRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/slack/api/{method}", e.serveAPI)
	mux.HandleFunc("POST /slack/hooks/{kind}/{team}/{number}/{key}", e.serveHook)
	mux.HandleFunc("GET /slack/socket", e.serveSocket)
	mux.HandleFunc("GET /slack/oauth/v2/authorize", e.authorize)
	mux.HandleFunc("POST /slack/oauth/v2/authorize", e.approve)

	mux.HandleFunc("POST /slack/do/{deed}", e.serveDeed)
	mux.HandleFunc("GET /slack/state", e.serveState)
	mux.HandleFunc("GET /slack/live", e.serveLive)

	mux.HandleFunc("GET /slack/messages", e.serveMessages)
	mux.HandleFunc("GET /slack/deliveries", e.serveDeliveries)
	mux.HandleFunc("POST /slack/deliveries/{id}/replay", e.replay)
	mux.HandleFunc("GET /slack/app", e.serveApp)
	mux.HandleFunc("POST /slack/app", e.changeApp)
	mux.HandleFunc("POST /slack/app/refresh", e.serveRefresh)
	mux.HandleFunc("GET /slack/workspaces", e.serveWorkspaces)
	mux.HandleFunc("POST /slack/workspaces", e.addWorkspace)
	mux.HandleFunc("DELETE /slack/workspaces/{team}/app", e.serveUninstall)

	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // page is a valid path: it is embedded above
	}
	mux.Handle("/slack/", secured(http.StripPrefix("/slack", http.FileServerFS(files))))
	return mux
}

// secured keeps the page to its own files.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src * data:; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		h.ServeHTTP(w, r)
	})
}

// serveDeed does what a person does on the page; tests do it the same way.
func (e *Emulator) serveDeed(w http.ResponseWriter, r *http.Request) {
	var d deed
	if err := respond.Read(w, r, &d); err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	var out deedResult
	var err error
	switch r.PathValue("deed") {
	case "say":
		out, err = e.say(r.Context(), d)
	case "act":
		out, err = e.act(r.Context(), d)
	case "submit":
		out, err = e.submit(r.Context(), d)
	case "close":
		out, err = e.closeModal(r.Context(), d)
	case "home":
		err = e.openHome(d)
	default:
		err = respond.Refuse(http.StatusNotFound, "a person can say, act, submit, close and home")
	}
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, out)
}
