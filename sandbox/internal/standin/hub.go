package standin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// hub stands in for a JupyterHub behind its proxy, or for one of the processes
// that the proxy leads to.
type hub struct {
	*target
	mux *http.ServeMux
	// only is the path of the one process that is meant, below the hub's base:
	// "/hub" or "/user/NAME"; empty is all of them, behind the proxy.
	only string
}

// visit is one request to a hub that is up.
type visit struct {
	*http.Request
	w      http.ResponseWriter
	config *hubConfig
	who    principal
}

type visitKey struct{}

const hubCookie = "jupyterhub-hub-login"

func newHub(t *target) *hub {
	h := &hub{target: t, mux: http.NewServeMux()}
	for pattern, handle := range map[string]func(*visit){
		"GET /{$}":                            h.home,
		"GET /hub/{$}":                        h.home,
		"GET /hub":                            h.home,
		"GET /hub/home":                       h.home,
		"GET /hub/health":                     h.health,
		"GET /hub/api/health":                 h.health,
		"GET /hub/login":                      h.loginPage,
		"POST /hub/login":                     h.login,
		"GET /hub/logout":                     h.logout,
		"GET /hub/spawn":                      h.spawnPage,
		"GET /hub/spawn/{name}":               h.spawnPage,
		"GET /hub/spawn-pending/{name}":       h.spawnPage,
		"GET /hub/metrics":                    h.metrics,
		"GET /hub/api/{$}":                    h.version,
		"GET /hub/api/info":                   h.needs(h.info, "read:hub"),
		"GET /hub/api/user":                   h.self,
		"GET /hub/api/users":                  h.needs(h.users, "list:users"),
		"GET /hub/api/users/{name}":           h.user,
		"POST /hub/api/users/{name}":          h.needs(h.createUser, "create:users"),
		"POST /hub/api/users/{name}/activity": h.needs(h.reportActivity, "users:activity"),
		"POST /hub/api/users/{name}/server":   h.needs(h.startServer, "start:servers"),
		"DELETE /hub/api/users/{name}/server": h.needs(h.stopServer, "delete:servers"),
		"GET /user/{name}/{rest...}":          h.server,
		"POST /user/{name}/{rest...}":         h.server,
		"/hub/":                               h.notFound,
	} {
		h.mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
			v := r.Context().Value(visitKey{}).(*visit)
			v.Request = r
			handle(v)
		})
	}
	return h
}

// ServeHTTP answers for the proxy, and for the hub behind it if that is up.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_chp_healthz" && h.only == "" {
		writeJSON(w, http.StatusOK, map[string]string{"status": "OK"})
		return
	}
	config, err := h.running(r.Context())
	if err != nil {
		// What the proxy says when it cannot reach the hub.
		h.log.Debug("hub is down", "cluster", h.clusterID, "namespace", h.service.Namespace, "err", err)
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	path, inside := strings.CutPrefix(r.URL.Path, config.base())
	switch {
	case h.only != "" && path != h.only && !strings.HasPrefix(path, h.only+"/"):
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	case !inside:
		http.Redirect(w, r, config.base()+"/hub/", http.StatusFound)
		return
	}
	v := &visit{w: w, config: config, who: identify(config, r)}
	request := r.Clone(context.WithValue(r.Context(), visitKey{}, v))
	request.URL.Path, request.URL.RawPath = path, ""
	h.mux.ServeHTTP(w, request)
}

// errNoHub is why a hub without a ready pod, or with a fault, does not answer.
type errNoHub struct{}

func (errNoHub) Error() string { return "no hub is up" }

// running returns the configuration of a hub that is up.
func (h *hub) running(ctx context.Context) (*hubConfig, error) {
	pods, err := h.siblings(ctx, "hub")
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 || h.fault("hub", h.clusterID) {
		return nil, errNoHub{}
	}
	return h.readHubConfig(ctx)
}

// identify finds who asks: a service by its token, or a user by the cookie
// of a login.
func identify(config *hubConfig, r *http.Request) principal {
	if token := bearer(r); token != "" {
		for known, who := range config.services {
			if same(known, token) {
				return who
			}
		}
		return principal{}
	}
	if cookie, err := r.Cookie(hubCookie); err == nil {
		if name, ok := unseal(config.cookieKey, cookie.Value); ok && config.auth.lets(name) {
			return config.user(name)
		}
	}
	return principal{}
}

// needs asks for one of the scopes first. A browser that changes something
// also needs the token of its page.
func (h *hub) needs(next func(*visit), wanted ...string) func(*visit) {
	return func(v *visit) {
		if !v.who.scopes.any(wanted...) && !v.isSelf() {
			v.refuse(wanted...)
			return
		}
		if v.who.kind == "user" && v.Method != http.MethodGet && !checkXSRF(v.Request) {
			v.message(http.StatusForbidden, "'_xsrf' argument missing from request")
			return
		}
		next(v)
	}
}

// isSelf reports whether a user asks about themselves.
func (v *visit) isSelf() bool {
	return v.who.kind == "user" && v.PathValue("name") == v.who.name && v.who.name != ""
}

func (v *visit) refuse(wanted ...string) {
	v.message(http.StatusForbidden, "Action is not authorized with current scopes; requires any of ["+strings.Join(wanted, ", ")+"]")
}

// message answers with an error as the hub's API words it.
func (v *visit) message(status int, text string) {
	writeJSON(v.w, status, map[string]any{"status": status, "message": text})
}

func (v *visit) redirect(path string) {
	http.Redirect(v.w, v.Request, path, http.StatusFound)
}

// url is the path of a user's server.
func (c *hubConfig) serverURL(name string) string {
	return c.base() + "/user/" + url.PathEscape(name) + "/"
}

// change runs f on the hub's record, after the state of servers that are pods
// was brought up to date.
func (h *hub) change(v *visit, f func(*record) bool) {
	pods, err := h.serverPods(v.Context(), v.config)
	if err != nil {
		h.log.Warn("servers are not looked at", "cluster", h.clusterID, "namespace", h.service.Namespace, "err", err)
	}
	now := h.now().UTC()
	h.edit(func(r *record) bool {
		changed := r.adopt(v.config.installation)
		if err == nil {
			changed = r.settle(pods, v.config, now) || changed
		}
		return f(r) || changed
	})
}

// adopt forgets the users of an earlier installation, whose database is gone.
func (r *record) adopt(installation string) bool {
	if r.Installation == installation {
		return false
	}
	if r.Installation != "" {
		r.Users = nil
	}
	r.Installation = installation
	return true
}

// settle makes servers what their pods are, and stops those that the hub's
// culler would have stopped. It reports whether anything changed.
func (r *record) settle(pods map[string]*corev1.Pod, config *hubConfig, now time.Time) bool {
	changed := false
	for i := range r.Users {
		server := r.Users[i].Server
		if !server.active() {
			continue
		}
		before := *server
		if server.Pod != "" {
			server.follow(pods[server.Pod], now)
		}
		if limit := config.cullAfter(); limit > 0 && server.Ready && server.Pending == "" && now.Sub(server.newest()) >= limit {
			server.stop()
		}
		changed = changed || before.Ready != server.Ready || before.Pending != server.Pending
	}
	return changed
}

// spawnTimeout is the hub's own limit on a server's start.
const spawnTimeout = 300 * time.Second

// follow takes over the state of the server's pod; nil is no such pod.
func (s *Server) follow(pod *corev1.Pod, now time.Time) {
	switch {
	case pod != nil && podReady(pod):
		s.Ready, s.Pending = true, ""
	case s.Pending == "spawn" && s.Started != nil && now.Sub(*s.Started) < spawnTimeout:
		// Still coming: the pod may not even be in the API server's cache.
	default:
		s.stop()
	}
}

func (s *Server) stop() { s.Ready, s.Pending, s.Pod, s.Kernels, s.Terminals = false, "", "", nil, nil }

// newest is the later of the server's start and its last activity.
func (s *Server) newest() time.Time {
	var newest time.Time
	for _, at := range []*time.Time{s.Started, s.LastActivity} {
		if at != nil && at.After(newest) {
			newest = *at
		}
	}
	return newest
}

// find returns the user of that name, or nil.
func (r *record) find(name string) *User {
	i := slices.IndexFunc(r.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Users[i]
}

// touch notes activity of a user now, who is made when not there yet.
func (r *record) touch(name string, now time.Time) *User {
	user := r.find(name)
	if user == nil {
		r.Users = append(r.Users, User{Name: name, Created: &now})
		user = &r.Users[len(r.Users)-1]
	}
	user.LastActivity = &now
	return user
}
