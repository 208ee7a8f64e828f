package serviceusage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// services are the ones a project has when it has Kubernetes Engine.
var services = []string{
	"cloudresourcemanager.googleapis.com", "compute.googleapis.com", "container.googleapis.com",
	"iam.googleapis.com", "serviceusage.googleapis.com",
}

const kubernetesEngine = "container.googleapis.com"

// mostAtOnce is how many services one batch may name.
const mostAtOnce = 20

// Handler serves the API below /v1/projects/{project}/services and
// /v1/projects/{project}:testIamPermissions.
type Handler struct {
	world *cloud.World
	mux   *http.ServeMux
}

// New makes a Handler.
func New(world *cloud.World) *Handler {
	h := &Handler{world: world, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /v1/projects/{project}/services", h.list)
	h.mux.HandleFunc("GET /v1/projects/{project}/services/{service}", h.get)
	h.mux.HandleFunc("POST /v1/projects/{project}/services/{call}", h.enable)
	h.mux.HandleFunc("POST /v1/projects/{project}/services:batchEnable", h.batchEnable)
	h.mux.HandleFunc("POST /v1/projects/{call}", h.testPermissions)
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) get(w http.ResponseWriter, r *http.Request) {
	if p, ok := h.project(w, r.PathValue("project")); ok {
		write(w, http.StatusOK, service(p, r.PathValue("service")))
	}
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) {
	p, ok := h.project(w, r.PathValue("project"))
	if !ok {
		return
	}
	all := []any{}
	for _, name := range services {
		s := service(p, name)
		if r.URL.Query().Get("filter") == "state:ENABLED" && s["state"] != "ENABLED" {
			continue
		}
		all = append(all, s)
	}
	write(w, http.StatusOK, map[string]any{"services": all})
}

// enable turns Kubernetes Engine on; the other services always are.
func (h *Handler) enable(w http.ResponseWriter, r *http.Request) {
	if p, ok := h.project(w, r.PathValue("project")); ok {
		h.turnOn(w, p, r.PathValue("call") == kubernetesEngine+":enable", nil)
	}
}

// batchEnable turns several on at once, as gcloud asks for with more than one
// name. It says of each how it is then.
func (h *Handler) batchEnable(w http.ResponseWriter, r *http.Request) {
	p, ok := h.project(w, r.PathValue("project"))
	if !ok {
		return
	}
	var asked struct {
		ServiceIDs []string `json:"serviceIds"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received. "+err.Error())
		return
	}
	if n := len(asked.ServiceIDs); n == 0 || n > mostAtOnce {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", fmt.Sprintf("A batch names 1 to %d services; this one names %d.", mostAtOnce, n))
		return
	}
	engine := slices.Contains(asked.ServiceIDs, kubernetesEngine)
	p.Disabled = p.Disabled && !engine
	all := make([]any, len(asked.ServiceIDs))
	for i, name := range asked.ServiceIDs {
		all[i] = service(p, name)
	}
	h.turnOn(w, p, engine, map[string]any{"@type": "type.googleapis.com/google.api.serviceusage.v1.BatchEnableServicesResponse", "services": all})
}

// turnOn answers with an operation that is done.
func (h *Handler) turnOn(w http.ResponseWriter, p cloud.Project, engine bool, response any) {
	if engine {
		p.Disabled = false
		if err := h.world.PutProject(p); err != nil {
			refuse(w, http.StatusInternalServerError, "INTERNAL", err.Error())
			return
		}
	}
	operation := map[string]any{"name": "operations/noop.DONE_OPERATION", "done": true}
	if response != nil {
		operation["response"] = response
	}
	write(w, http.StatusOK, operation)
}

// testPermissions answers with those of the asked permissions the caller has:
// all of them, or none in a forbidden project.
func (h *Handler) testPermissions(w http.ResponseWriter, r *http.Request) {
	const verb = ":testIamPermissions"
	call := r.PathValue("call")
	if len(call) <= len(verb) || call[len(call)-len(verb):] != verb {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "The requested URL was not found on this server.")
		return
	}
	var asked struct {
		Permissions []string `json:"permissions"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received. "+err.Error())
		return
	}
	p, err := h.world.Project(call[:len(call)-len(verb)])
	if err != nil {
		refuse(w, http.StatusForbidden, "PERMISSION_DENIED", "The caller does not have permission")
		return
	}
	answer := map[string]any{}
	if !p.Forbidden {
		answer["permissions"] = asked.Permissions
	}
	write(w, http.StatusOK, answer)
}

func (h *Handler) project(w http.ResponseWriter, name string) (cloud.Project, bool) {
	p, err := h.world.Project(name)
	if err != nil || p.Forbidden {
		refuse(w, http.StatusForbidden, "PERMISSION_DENIED",
			fmt.Sprintf("Permission denied to get service [%s] or project [%s] may not exist.", kubernetesEngine, name))
		return p, false
	}
	return p, true
}

func service(p cloud.Project, name string) map[string]any {
	state := "ENABLED"
	if name == kubernetesEngine && p.Disabled {
		state = "DISABLED"
	}
	parent := fmt.Sprintf("projects/%d", p.Number)
	return map[string]any{
		"name": parent + "/services/" + name, "parent": parent, "state": state,
		"config": map[string]any{"name": name},
	}
}

func refuse(w http.ResponseWriter, code int, status, message string) {
	write(w, code, map[string]any{"error": map[string]any{"code": code, "status": status, "message": message}})
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}
