package compute

import (
	"net/http"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// Handler serves the API below /compute/v1/ and /batch/compute/v1.
type Handler struct {
	world *cloud.World
	token string
	mux   *http.ServeMux
}

// New makes a Handler. It accepts the given bearer token, and requests that
// carry none.
func New(world *cloud.World, token string) *Handler {
	h := &Handler{world: world, token: token, mux: http.NewServeMux()}
	const project = "/compute/v1/projects/{project}"
	h.handle("GET "+project, "projects.get", h.getProject)
	h.handle("GET "+project+"/regions", "regions.list", h.listRegions)
	h.handle("GET "+project+"/regions/{location}", "regions.get", h.getRegion)
	h.handle("GET "+project+"/zones", "zones.list", h.listZones)
	h.handle("GET "+project+"/zones/{location}", "zones.get", h.getZone)
	h.handle("GET "+project+"/zones/{location}/machineTypes", "machineTypes.list", h.listMachineTypes)
	h.handle("GET "+project+"/zones/{location}/machineTypes/{name}", "machineTypes.get", h.getMachineType)
	h.handle("GET "+project+"/aggregated/operations", "operations.aggregatedList", h.aggregateOperations)
	h.handle("GET "+project+"/aggregated/{collection}", "aggregatedList", h.aggregate)
	for _, scope := range []string{"/zones/{location}", "/regions/{location}", "/global"} {
		h.handle("GET "+project+scope+"/operations", "operations.list", h.listOperations)
		h.handle("GET "+project+scope+"/operations/{name}", "operations.get", h.getOperation)
		h.handle("POST "+project+scope+"/operations/{name}/wait", "operations.wait", h.waitOperation)
		h.handle("GET "+project+scope+"/{collection}", "list", h.list)
		h.handle("POST "+project+scope+"/{collection}", "insert", h.insert)
		h.handle("GET "+project+scope+"/{collection}/{name}", "get", h.get)
		h.handle("DELETE "+project+scope+"/{collection}/{name}", "delete", h.remove)
		h.handle("POST "+project+scope+"/{collection}/{name}/{verb}", "", h.act)
	}
	h.mux.HandleFunc("POST /batch/compute/v1", h.batch)
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// call is one request that was let in.
type call struct {
	*http.Request
	project    cloud.Project
	location   string // zone, region or global; empty for what has none
	collection collection
	method     string // disks.delete
	base       string // of links, with a slash at its end
}

func (c *call) occasion() cloud.Occasion {
	return cloud.Occasion{Method: c.method, Project: c.project.ID, Location: c.location}
}

// handle registers a method. Its function returns the body of the answer.
func (h *Handler) handle(pattern, method string, f func(*call) (any, error)) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c, err := h.admit(r, method)
		if err != nil {
			writeError(w, err)
			return
		}
		answer, err := f(c)
		if err == nil && h.world.Take("lost-reply", c.occasion()) != nil {
			err = cloud.Errorf(cloud.Unavailable, "The connection was reset before the reply arrived.")
		}
		if err != nil {
			writeError(w, err)
			return
		}
		write(w, http.StatusOK, answer)
	})
}

// admit says who may call what, resolves the parts of the path, and applies
// the faults that fit any method.
func (h *Handler) admit(r *http.Request, method string) (*call, error) {
	if auth := r.Header.Get("Authorization"); auth != "" && auth != "Bearer "+h.token {
		return nil, &problem{http.StatusUnauthorized, "authError", "Invalid Credentials"}
	}
	c := &call{Request: r, method: method, base: "http://" + r.Host + "/compute/v1/"}
	if name := r.PathValue("collection"); name != "" {
		var ok bool
		if c.collection, ok = findCollection(name); !ok {
			return nil, cloud.Errorf(cloud.NotFound, "The requested URL %s was not found on this server.", r.URL.Path)
		}
		if method == "" {
			method = r.PathValue("verb")
		}
		c.method = name + "." + method
	}
	var err error
	if c.project, err = h.world.Project(r.PathValue("project")); err != nil {
		return nil, cloud.Errorf(cloud.NotFound, "Failed to find project %s", r.PathValue("project"))
	}
	if c.project.Forbidden {
		return nil, c.denied()
	}
	switch c.location = r.PathValue("location"); {
	case c.location == "":
		c.location = cloud.Global
	case cloud.RegionOf(c.location) == "":
		return nil, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field 'location': '%s'. Unknown zone or region.", c.location)
	}
	return c, h.misbehave(c)
}

func (h *Handler) misbehave(c *call) error {
	o := c.occasion()
	if f := h.world.Take("slow", o); f != nil {
		if err := sleep(c.Request, f.Wait(time.Second)); err != nil {
			return err
		}
	}
	switch {
	case h.world.Take("unavailable", o) != nil:
		return cloud.Errorf(cloud.Unavailable, "Backend Error")
	case h.world.Take("rate-limit", o) != nil:
		return cloud.Errorf(cloud.ResourceExhausted, "Rate Limit Exceeded")
	case h.world.Take("permission-denied", o) != nil:
		return c.denied()
	}
	return nil
}

// denied is a refusal that names the permission, which is one for both kinds
// of list.
func (c *call) denied() error {
	permission := strings.Replace(c.method, "aggregatedList", "list", 1)
	return cloud.Errorf(cloud.PermissionDenied, "Required 'compute.%s' permission for 'projects/%s'", permission, c.project.ID)
}

func sleep(r *http.Request, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.Context().Done():
		return r.Context().Err()
	case <-t.C:
		return nil
	}
}
