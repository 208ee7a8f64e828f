package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (h *hub) health(v *visit) { v.w.WriteHeader(http.StatusOK) }

func (h *hub) version(v *visit) {
	writeJSON(v.w, http.StatusOK, map[string]string{"version": v.config.version})
}

func (h *hub) info(v *visit) {
	class := func(name, version string) map[string]string {
		return map[string]string{"class": name, "version": version}
	}
	writeJSON(v.w, http.StatusOK, map[string]any{
		"version":        v.config.version,
		"python":         "simulated",
		"sys_executable": "/usr/local/bin/python3",
		"spawner":        class("kubespawner.spawner.KubeSpawner", "simulated"),
		"authenticator":  class(v.config.auth.class, v.config.version),
	})
}

// self tells whoever asks who they are, and what they may do.
func (h *hub) self(v *visit) {
	switch v.who.kind {
	case "service":
		writeJSON(v.w, http.StatusOK, map[string]any{
			"kind": "service", "name": v.who.name, "admin": v.who.admin,
			"session_id": nil, "scopes": sortedKeys(v.who.scopes),
		})
	case "user":
		var model map[string]any
		all := scopes{}
		all.add(every...)
		h.change(v, func(r *record) bool {
			user := r.touch(v.who.name, h.now().UTC())
			model = userModel(*user, v.config, all, false)
			return true
		})
		writeJSON(v.w, http.StatusOK, model)
	default:
		v.message(http.StatusForbidden, "Missing or invalid credentials.")
	}
}

// user answers for one user.
func (h *hub) user(v *visit) {
	wanted := []string{"read:users", "read:users:name", "read:users:activity", "read:servers"}
	if !v.who.scopes.any(wanted...) && !v.isSelf() {
		v.refuse(wanted...)
		return
	}
	granted := v.who.scopes
	if v.isSelf() {
		granted = scopes{}
		granted.add("users", "servers")
	}
	var model map[string]any
	h.change(v, func(r *record) bool {
		if user := r.find(v.PathValue("name")); user != nil {
			model = userModel(*user, v.config, granted, v.FormValue("include_stopped_servers") != "")
		}
		return false
	})
	if model == nil {
		v.message(http.StatusNotFound, "Not Found")
		return
	}
	writeJSON(v.w, http.StatusOK, model)
}

const (
	pageDefault = 50
	pageMax     = 200
)

// users answers the list, a page of it at a time.
func (h *hub) users(v *visit) {
	state := v.FormValue("state")
	if !slices.Contains([]string{"", "ready", "active", "inactive"}, state) {
		v.message(http.StatusBadRequest, fmt.Sprintf("Unrecognized state filter: '%s'", state))
		return
	}
	offset, limit, err := paging(v.Request)
	if err != nil {
		v.message(http.StatusBadRequest, err.Error())
		return
	}
	items, total := []map[string]any{}, 0
	h.change(v, func(r *record) bool {
		list := filtered(r.Users, state)
		if v.config.atLeast("5.0.0") {
			sortUsers(list, v.FormValue("sort"))
		}
		total = len(list)
		for _, user := range list[min(offset, total):min(offset+limit, total)] {
			if state == "ready" && !user.Server.Ready {
				continue // the hub filters these after it has cut the page
			}
			items = append(items, userModel(user, v.config, v.who.scopes, v.FormValue("include_stopped_servers") != ""))
		}
		return false
	})
	if v.Header.Get("Accept") != "application/jupyterhub-pagination+json" {
		writeJSON(v.w, http.StatusOK, items)
		return
	}
	writeJSON(v.w, http.StatusOK, map[string]any{"items": items, "_pagination": pagination(v.Request, v.config, offset, limit, total)})
}

func paging(r *http.Request) (offset, limit int, err error) {
	limit = pageDefault
	for name, to := range map[string]*int{"offset": &offset, "limit": &limit} {
		text := r.FormValue(name)
		if text == "" {
			continue
		}
		if *to, err = strconv.Atoi(text); err != nil || *to < 0 {
			return 0, 0, fmt.Errorf("%s must be an integer that is not negative", name)
		}
	}
	return offset, min(max(limit, 1), pageMax), nil
}

func pagination(r *http.Request, config *hubConfig, offset, limit, total int) map[string]any {
	answer := map[string]any{"offset": offset, "limit": limit, "total": total, "next": nil}
	if next := offset + limit; next < total {
		query := r.URL.Query()
		query.Set("limit", strconv.Itoa(limit))
		query.Set("offset", strconv.Itoa(next))
		link := url.URL{Scheme: "http", Host: r.Host, Path: config.base() + r.URL.Path, RawQuery: query.Encode()}
		answer["next"] = map[string]any{"offset": next, "limit": limit, "url": link.String()}
	}
	return answer
}

// filtered copies the users that the hub's database query finds: for ready,
// those with any server at all.
func filtered(users []User, state string) []User {
	list := slices.Clone(users)
	return slices.DeleteFunc(list, func(u User) bool {
		switch state {
		case "ready", "active":
			return !u.Server.active()
		case "inactive":
			return u.Server.active()
		}
		return false
	})
}

func sortUsers(users []User, by string) {
	by, down := strings.CutPrefix(by, "-")
	slices.SortStableFunc(users, func(a, b User) int {
		order := 0
		switch by {
		case "name":
			order = cmp.Compare(a.Name, b.Name)
		case "last_activity":
			order = orNever(a.LastActivity).Compare(orNever(b.LastActivity))
		}
		if down {
			return -order
		}
		return order
	})
}

// orNever is a time to sort by; never comes first.
func orNever(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// userModel is a user as the hub shows it to somebody with these scopes. What
// the scopes do not allow is absent, not null.
func userModel(user User, config *hubConfig, granted scopes, stopped bool) map[string]any {
	admin := user.Admin || config.auth.admin(user.Name)
	model := map[string]any{"kind": "user", "name": user.Name, "admin": admin}
	if granted["read:users"] {
		model["groups"], model["roles"] = []string{}, []string{"user"}
		model["created"], model["server"], model["pending"] = stamp(user.Created), nil, nil
		if admin {
			model["roles"] = []string{"admin", "user"}
		}
		if user.Server != nil && user.Server.Ready {
			model["server"] = config.serverURL(user.Name)
		}
		if user.Server != nil && user.Server.Pending != "" {
			model["pending"] = user.Server.Pending
		}
	}
	if granted["read:users:activity"] {
		model["last_activity"] = stamp(user.LastActivity)
	}
	if granted["read:servers"] {
		servers := map[string]any{}
		if user.Server.active() || (stopped && user.Server != nil) {
			servers[""] = serverModel(user, config)
		}
		model["servers"] = servers
	}
	return model
}

func serverModel(user User, config *hubConfig) map[string]any {
	server := user.Server
	progress := config.base() + "/hub/api/users/" + url.PathEscape(user.Name) + "/server/progress"
	model := map[string]any{
		"name": "", "last_activity": stamp(server.LastActivity), "started": nil, "pending": nil,
		"ready": server.Ready, "stopped": !server.active(), "url": config.serverURL(user.Name),
		"user_options": map[string]any{}, "progress_url": progress,
	}
	if server.active() {
		model["started"] = stamp(server.Started)
	}
	if server.Pending != "" {
		model["pending"] = server.Pending
	}
	if config.atLeast("5.0.0") {
		model["full_name"], model["full_url"], model["full_progress_url"] = user.Name+"/", nil, nil
	}
	return model
}

// stamp is a time as the hub writes it, or null.
func stamp(at *time.Time) any {
	if at == nil {
		return nil
	}
	return at.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func (h *hub) createUser(v *visit) {
	name, created := v.PathValue("name"), false
	var model map[string]any
	h.change(v, func(r *record) bool {
		if r.find(name) == nil {
			now := h.now().UTC()
			r.Users, created = append(r.Users, User{Name: name, Created: &now}), true
		}
		model = userModel(*r.find(name), v.config, v.who.scopes, false)
		return created
	})
	if !created {
		v.message(http.StatusConflict, "User "+name+" already exists")
		return
	}
	writeJSON(v.w, http.StatusCreated, model)
}

// reportActivity takes what a server says of itself, and what a service says
// to keep one alive. Activity only moves forward.
func (h *hub) reportActivity(v *visit) {
	var report struct {
		LastActivity *time.Time `json:"last_activity"`
		Servers      map[string]struct {
			LastActivity *time.Time `json:"last_activity"`
		} `json:"servers"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(v.w, v.Body, 1<<20)).Decode(&report); err != nil {
		v.message(http.StatusBadRequest, "Invalid JSON in body of request")
		return
	}
	found := false
	h.change(v, func(r *record) bool {
		user := r.find(v.PathValue("name"))
		if user == nil {
			return false
		}
		found = true
		user.LastActivity = later(user.LastActivity, report.LastActivity)
		if server, ok := report.Servers[""]; ok && user.Server.active() {
			user.Server.LastActivity = later(user.Server.LastActivity, server.LastActivity)
			user.LastActivity = later(user.LastActivity, server.LastActivity)
		}
		return true
	})
	if !found {
		v.message(http.StatusNotFound, "No such user: '"+v.PathValue("name")+"'")
	}
}

func later(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.After(*a)) {
		return b
	}
	return a
}

func (h *hub) startServer(v *visit) {
	server, err := h.spawn(v, v.PathValue("name"))
	switch {
	case err != nil:
		h.log.Warn("server is not started", "cluster", h.clusterID, "namespace", h.service.Namespace, "err", err)
		v.message(http.StatusInternalServerError, "Error in Spawner: see the log")
	case server.Ready:
		v.w.WriteHeader(http.StatusCreated)
	default:
		v.w.WriteHeader(http.StatusAccepted)
	}
}

func (h *hub) stopServer(v *visit) {
	status, pod := http.StatusNotFound, ""
	h.change(v, func(r *record) bool {
		user := r.find(v.PathValue("name"))
		switch {
		case user == nil:
			return false
		case user.Server != nil && user.Server.Pending != "":
			status = http.StatusBadRequest
			return false
		}
		status = http.StatusNoContent
		if !user.Server.active() {
			return false
		}
		pod = user.Server.Pod
		user.Server.stop()
		return true
	})
	if pod != "" {
		if err := h.deletePod(v.Context(), pod); err != nil {
			h.log.Warn("pod of a stopped server stays", "cluster", h.clusterID, "pod", pod, "err", err)
		}
	}
	switch status {
	case http.StatusNoContent:
		v.w.WriteHeader(status)
	case http.StatusBadRequest:
		v.message(status, v.PathValue("name")+" is pending")
	default:
		v.message(status, "Not Found")
	}
}

// metrics is open to all only when the chart says so.
func (h *hub) metrics(v *visit) {
	open := v.config.Hub.AuthenticatePrometheus
	if (open == nil || *open) && !v.who.scopes["read:metrics"] {
		v.refuse("read:metrics")
		return
	}
	running, total := 0, 0
	h.change(v, func(r *record) bool {
		total = len(r.Users)
		for _, user := range r.Users {
			if user.Server.active() {
				running++
			}
		}
		return false
	})
	v.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintf(v.w, "# TYPE jupyterhub_running_servers gauge\njupyterhub_running_servers %d\n# TYPE jupyterhub_total_users gauge\njupyterhub_total_users %d\n", running, total)
}
