package standin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const standsForServer = "a user's notebook server"

// server answers below /user/NAME/. Whatever it answers well counts as
// activity, because the proxy in front of it thinks so; past the proxy it
// counts only what a Jupyter server itself tracks.
func (h *hub) server(v *visit) {
	name, rest := v.PathValue("name"), v.PathValue("rest")
	var server Server
	h.change(v, func(r *record) bool {
		if user := r.find(name); user != nil && user.Server != nil {
			server = copyServer(user.Server)
		}
		return false
	})
	api := strings.HasPrefix(rest, "api")
	switch {
	case !server.Ready && api:
		v.message(http.StatusFailedDependency, "JupyterHub server no longer running at "+v.config.serverURL(name))
		return
	case !server.Ready:
		h.page(v.w, http.StatusFailedDependency, page{Title: "The server is not running", StandsFor: standsForHub,
			Links: []link{{URL: v.config.base() + "/hub/spawn/" + url.PathEscape(name), Text: "Start it"}}})
		return
	}
	open := rest == "api" || rest == "api/"
	if !open && !v.isSelf() && !v.who.scopes["access:servers"] {
		h.refuseServer(v, api)
		return
	}
	status := serveNotebook(v.w, rest, server, func() { h.labPage(v, name) })
	if status < 300 && (h.only == "" || tracked(v.Request, rest)) {
		h.edit(func(r *record) bool { return r.seen(name, h.now().UTC()) })
	}
}

func (h *hub) refuseServer(v *visit, api bool) {
	if api || v.who.kind == "user" {
		writeJSON(v.w, http.StatusForbidden, map[string]any{"message": "Forbidden", "reason": nil})
		return
	}
	v.redirect(v.config.base() + "/hub/login?next=" + url.QueryEscape(v.config.base()+v.URL.Path))
}

func (h *hub) labPage(v *visit, name string) {
	h.page(v.w, http.StatusOK, page{Title: "JupyterLab of " + name, StandsFor: standsForServer,
		Links: []link{{URL: v.config.base() + "/hub/logout", Text: "Log out"}}})
}

// seen notes activity of a server and its user.
func (r *record) seen(name string, now time.Time) bool {
	user := r.find(name)
	if user == nil || !user.Server.active() {
		return false
	}
	user.LastActivity, user.Server.LastActivity = &now, &now
	return true
}

func copyServer(s *Server) Server {
	copied := *s
	copied.Kernels = append([]Kernel(nil), s.Kernels...)
	copied.Terminals = append([]Terminal(nil), s.Terminals...)
	return copied
}

// jupyterServerVersion is what /api of a Jupyter server says.
const jupyterServerVersion = "2.17.0"

// serveNotebook answers a path of a Jupyter server for somebody who may ask,
// and returns the status. Pages are left to showPage.
func serveNotebook(w http.ResponseWriter, rest string, server Server, showPage func()) int {
	status, body := http.StatusOK, any(nil)
	switch strings.TrimSuffix(rest, "/") {
	case "api":
		body = map[string]string{"version": jupyterServerVersion}
	case "api/status":
		body = statusModel(server)
	case "api/kernels":
		body = kernelModels(server.Kernels)
	case "api/terminals":
		body = terminalModels(server.Terminals)
	case "", "lab", "tree":
		showPage()
		return status
	default:
		status = http.StatusNotImplemented
		body = map[string]string{"message": "the stand-in for a Jupyter server does not have " + rest}
	}
	writeJSON(w, status, body)
	return status
}

func statusModel(server Server) map[string]any {
	connections := 0
	for _, kernel := range server.Kernels {
		connections += kernel.Connections
	}
	return map[string]any{
		"started": stamp(server.Started), "last_activity": stamp(server.LastActivity),
		"kernels": len(server.Kernels), "connections": connections,
	}
}

func kernelModels(kernels []Kernel) []map[string]any {
	models := []map[string]any{}
	for i, kernel := range kernels {
		models = append(models, map[string]any{
			"id": fmt.Sprintf("00000000-0000-4000-8000-%012d", i+1), "name": "python3",
			"last_activity": stamp(kernel.LastActivity), "execution_state": kernel.ExecutionState,
			"connections": kernel.Connections,
		})
	}
	return models
}

func terminalModels(terminals []Terminal) []map[string]any {
	models := []map[string]any{}
	for i, terminal := range terminals {
		models = append(models, map[string]any{"name": fmt.Sprint(i + 1), "last_activity": stamp(terminal.LastActivity)})
	}
	return models
}
