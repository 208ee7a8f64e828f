package compute

import (
	"path"
	"slices"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// endpoint is a machine in a network endpoint group.
type endpoint struct {
	Instance string `json:"instance"`
}

// attachEndpoints puts machines into a group. They need not exist, as those of
// a target pool need not.
func (h *Handler) attachEndpoints(c *call) (any, error) {
	b, _, err := c.read()
	if err != nil {
		return nil, err
	}
	name := c.PathValue("name")
	err = h.world.ChangeResource(c.collection.kind, c.project.ID, c.location, name, func(r *cloud.Resource) {
		for _, e := range b.NetworkEndpoints {
			if member := c.location + "/" + path.Base(e.Instance); !slices.Contains(r.Instances, member) {
				r.Instances = append(r.Instances, member)
			}
		}
	})
	if err != nil {
		return nil, missing(c, err)
	}
	return h.receipt(c, cloud.ComputeOperation{Type: "attachNetworkEndpoints", Target: c.path(c.collection.name) + "/" + name})
}

// listEndpoints answers with the machines of a group, all on one page.
func (h *Handler) listEndpoints(c *call) (any, error) {
	r, err := h.world.Resource(c.collection.kind, c.project.ID, c.location, c.PathValue("name"))
	if err != nil {
		return nil, missing(c, err)
	}
	items := make([]any, 0, len(r.Instances))
	for _, member := range r.Instances {
		items = append(items, map[string]any{"networkEndpoint": endpoint{path.Base(member)}})
	}
	return map[string]any{"kind": "compute#networkEndpointGroupsListNetworkEndpoints", "items": items}, nil
}
