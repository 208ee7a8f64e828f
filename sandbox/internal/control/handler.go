package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// maxBody bounds a request's body.
const maxBody = 1 << 20

// Activity scripts what the hub and the scheduler of a cluster report. The
// JSON is opaque here.
type Activity interface {
	SetActivity(clusterID string, activity json.RawMessage) error
	Activity(clusterID string) (json.RawMessage, error)
}

// Config is what a Handler needs.
type Config struct {
	World     *cloud.World
	Activity  Activity
	Endpoints Endpoints
	Log       *slog.Logger
}

// New makes the handler of the control API.
func New(cfg Config) http.Handler {
	h := &handler{cfg: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /endpoints", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, cfg.Endpoints) })
	mux.HandleFunc("GET /resources", h.resources)
	mux.HandleFunc("GET /clusters", h.clusters)
	mux.HandleFunc("GET /clusters/{name}/activity", h.activity)
	mux.HandleFunc("POST /clusters/{name}/activity", h.setActivity)
	mux.HandleFunc("GET /operations/log", h.operations)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, cfg.World.Faults()) })
	mux.HandleFunc("POST /faults", h.addFault)
	mux.HandleFunc("DELETE /faults", h.deleteFaults)
	mux.HandleFunc("DELETE /faults/{id}", h.deleteFaults)
	mux.HandleFunc("GET /latencies", h.latencies)
	mux.HandleFunc("POST /latencies", h.setLatencies)
	mux.HandleFunc("GET /projects", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, cfg.World.Projects()) })
	mux.HandleFunc("PUT /projects/{id}", h.putProject)
	return mux
}

type handler struct{ cfg Config }

func (h *handler) resources(w http.ResponseWriter, r *http.Request) {
	items := []cloud.Item{}
	for _, item := range h.cfg.World.Inventory() {
		if p := r.URL.Query().Get("project"); p == "" || p == item.Project {
			items = append(items, item)
		}
	}
	write(w, http.StatusOK, items)
}

// cluster is one line of GET /clusters.
type cluster struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Project     string            `json:"project"`
	Location    string            `json:"location"`
	Status      string            `json:"status"`
	Message     string            `json:"message,omitempty"`
	Version     string            `json:"version"`
	Endpoint    string            `json:"endpoint,omitempty"`
	Nodes       int               `json:"nodes"`
	Labels      map[string]string `json:"labels,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	Certificate []byte            `json:"caCertificate,omitempty"`
}

func (h *handler) clusters(w http.ResponseWriter, _ *http.Request) {
	all := []cluster{}
	for _, c := range h.cfg.World.Clusters("", "") {
		all = append(all, cluster{
			ID: c.Spec.ID, Name: c.Spec.Name, Project: c.Spec.Project, Location: c.Spec.Location, Status: c.Status,
			Message: c.StatusMessage, Version: c.Spec.Version, Endpoint: c.Endpoint, Labels: c.Spec.Labels,
			Nodes: h.cfg.World.NodeCount(c.Spec.ID, ""), CreatedAt: c.Created, Certificate: c.CACertificate,
		})
	}
	write(w, http.StatusOK, all)
}

// clusterID finds the cluster a path names, by name or id. A name that
// several projects have needs ?project=.
func (h *handler) clusterID(r *http.Request) (string, error) {
	name, project := r.PathValue("name"), r.URL.Query().Get("project")
	var found []string
	for _, c := range h.cfg.World.Clusters(project, "") {
		if c.Spec.ID == name || c.Spec.Name == name {
			found = append(found, c.Spec.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", cloud.Errorf(cloud.NotFound, "there is no cluster %q", name)
	case 1:
		return found[0], nil
	default:
		return "", cloud.Errorf(cloud.InvalidArgument, "%d clusters are called %q; give its id instead, see GET /clusters", len(found), name)
	}
}

func (h *handler) activity(w http.ResponseWriter, r *http.Request) {
	id, err := h.clusterID(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	activity, err := h.cfg.Activity.Activity(id)
	if err != nil {
		h.refuse(w, err)
		return
	}
	write(w, http.StatusOK, activity)
}

func (h *handler) setActivity(w http.ResponseWriter, r *http.Request) {
	id, err := h.clusterID(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	var activity json.RawMessage
	if err := read(w, r, &activity); err != nil {
		h.refuse(w, err)
		return
	}
	if err := h.cfg.Activity.SetActivity(id, activity); err != nil {
		h.refuse(w, cloud.Errorf(cloud.InvalidArgument, "%v", err))
		return
	}
	h.activity(w, r)
}

// operations lists what the emulated cloud took time for. ?since= keeps what
// ended later than that RFC 3339 time or still lasts.
func (h *handler) operations(w http.ResponseWriter, r *http.Request) {
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			h.refuse(w, cloud.Errorf(cloud.InvalidArgument, "since: %v", err))
			return
		}
	}
	waits := []cloud.Wait{}
	for _, x := range h.cfg.World.Waits(since) {
		if c := r.URL.Query().Get("cluster"); c == "" || c == x.Cluster {
			waits = append(waits, x)
		}
	}
	write(w, http.StatusOK, waits)
}

func (h *handler) addFault(w http.ResponseWriter, r *http.Request) {
	var f cloud.Fault
	if err := read(w, r, &f); err != nil {
		h.refuse(w, err)
		return
	}
	f, err := h.cfg.World.AddFault(f)
	if err != nil {
		h.refuse(w, err)
		return
	}
	write(w, http.StatusCreated, f)
}

func (h *handler) deleteFaults(w http.ResponseWriter, r *http.Request) {
	if err := h.cfg.World.DeleteFaults(r.PathValue("id")); err != nil {
		h.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) putProject(w http.ResponseWriter, r *http.Request) {
	var p cloud.Project
	if err := read(w, r, &p); err != nil {
		h.refuse(w, err)
		return
	}
	p.ID = r.PathValue("id")
	if err := h.cfg.World.PutProject(p); err != nil {
		h.refuse(w, err)
		return
	}
	p, err := h.cfg.World.Project(p.ID)
	if err != nil {
		h.refuse(w, err)
		return
	}
	write(w, http.StatusOK, p)
}

// read decodes a body strictly, so that a misspelt field is noticed.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return cloud.Errorf(cloud.InvalidArgument, "the body: %v", err)
	}
	return nil
}

func (h *handler) refuse(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	message := fmt.Sprintf("The sandbox failed: %v", err)
	var answer *cloud.Error
	if errors.As(err, &answer) {
		message, code = answer.Message, http.StatusBadRequest
		if answer.Code == cloud.NotFound {
			code = http.StatusNotFound
		}
	} else {
		h.cfg.Log.Error("control request failed", "reason", err)
	}
	write(w, code, map[string]string{"error": message})
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}
