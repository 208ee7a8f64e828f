package standin

import (
	"net/http"
	"net/url"
	"strings"
)

const standsForHub = "a JupyterHub"

// xsrfSince is the JupyterHub whose forms carry a token first.
const xsrfSince = "4.1.0"

func (h *hub) home(v *visit) {
	if v.who.kind != "user" {
		v.redirect(v.config.base() + "/hub/login")
		return
	}
	v.redirect(v.config.base() + "/hub/spawn")
}

func (h *hub) notFound(v *visit) {
	if strings.HasPrefix(v.URL.Path, "/hub/api/") {
		v.message(http.StatusNotFound, "Not Found")
		return
	}
	h.page(v.w, http.StatusNotFound, page{Title: "404: Not Found", StandsFor: standsForHub})
}

func (h *hub) loginPage(v *visit) { h.showLogin(v, http.StatusOK, "") }

func (h *hub) showLogin(v *visit, status int, problem string) {
	p := page{Title: "Sign in", StandsFor: standsForHub, Error: problem}
	if !v.config.auth.form() {
		p.Message = "This hub is configured to sign people in with " + v.config.auth.class + ", which the stand-in does not have."
		h.page(v.w, status, p)
		return
	}
	action := v.config.base() + "/hub/login"
	if next := localPath(v.FormValue("next")); next != "" {
		action += "?next=" + url.QueryEscape(next)
	}
	p.Login = &login{Action: action, Username: true}
	if v.config.atLeast(xsrfSince) {
		p.Login.XSRF = giveXSRF(v.w, v.Request)
	}
	h.page(v.w, status, p)
}

// login lets in whom the hub's authenticator lets in, and makes the user.
func (h *hub) login(v *visit) {
	v.Body = http.MaxBytesReader(v.w, v.Body, 1<<16)
	if v.config.atLeast(xsrfSince) && !checkXSRF(v.Request) {
		h.showLogin(v, http.StatusForbidden, "The form has expired. Please try again.")
		return
	}
	name, ok := v.config.auth.login(v.FormValue("username"), v.FormValue("password"))
	if !ok {
		h.showLogin(v, http.StatusForbidden, "Invalid username or password")
		return
	}
	h.change(v, func(r *record) bool {
		r.touch(name, h.now().UTC())
		return true
	})
	setSession(v.w, hubCookie, v.config.base()+"/", seal(v.config.cookieKey, name))
	next := localPath(v.FormValue("next"))
	if next == "" {
		next = v.config.base() + "/hub/spawn"
	}
	v.redirect(next)
}

// localPath returns a path on this very host, or nothing: a login must not
// send people elsewhere.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, "\\") {
		return ""
	}
	return next
}

func (h *hub) logout(v *visit) {
	http.SetCookie(v.w, &http.Cookie{Name: hubCookie, Path: v.config.base() + "/", MaxAge: -1})
	v.redirect(v.config.base() + "/hub/login")
}

// spawnPage starts the server of whoever asks, and waits for it with them.
func (h *hub) spawnPage(v *visit) {
	if v.who.kind != "user" {
		v.redirect(v.config.base() + "/hub/login?next=" + url.QueryEscape(v.config.base()+v.URL.Path))
		return
	}
	if name := v.PathValue("name"); name != "" && name != v.who.name && !v.who.scopes["servers"] {
		h.page(v.w, http.StatusForbidden, page{Title: "403: Forbidden", StandsFor: standsForHub})
		return
	}
	name := v.PathValue("name")
	if name == "" {
		name = v.who.name
	}
	server, err := h.spawn(v, name)
	switch {
	case err != nil:
		h.log.Warn("server is not started", "cluster", h.clusterID, "namespace", h.service.Namespace, "err", err)
		h.page(v.w, http.StatusInternalServerError, page{Title: "500: Internal Server Error", StandsFor: standsForHub,
			Error: "The cluster did not take the server's pod."})
	case server.Ready:
		v.redirect(v.config.serverURL(name))
	default:
		h.page(v.w, http.StatusOK, page{Title: "Your server is starting up", StandsFor: standsForHub, Refresh: 1,
			Message: "This page moves on when the pod is ready."})
	}
}
