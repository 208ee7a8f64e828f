package compute

import (
	"slices"
	"strconv"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

const maxPage = 500

// list answers with the resources of one zone or region, or the global ones.
func (h *Handler) list(c *call) (any, error) {
	items, err := h.filtered(c, func(r *cloud.Resource) bool { return r.Location == c.location })
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(c, items)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"kind": c.collection.single + "List", "id": c.path(c.collection.name), "selfLink": c.base + c.path(c.collection.name)}
	if len(page) > 0 {
		answer["items"] = page
	}
	if next != "" {
		answer["nextPageToken"] = next
	}
	return answer, nil
}

// aggregate answers with the resources of all places, grouped by place. Zones
// that were scripted to be missing are named in unreachables.
func (h *Handler) aggregate(c *call) (any, error) {
	unreachable := ""
	if f := h.world.Take("missing-zones", cloud.Occasion{Method: c.method, Project: c.project.ID}); f != nil {
		unreachable = f.Value
	}
	items, err := h.filtered(c, func(r *cloud.Resource) bool { return unreachable == "" || r.Location != unreachable })
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(c, items)
	if err != nil {
		return nil, err
	}
	groups := map[string]any{}
	for _, item := range page {
		scope := item.scope
		group, ok := groups[scope].(map[string][]rendered)
		if !ok {
			group = map[string][]rendered{}
			groups[scope] = group
		}
		group[c.collection.name] = append(group[c.collection.name], item)
	}
	answer := map[string]any{"kind": c.collection.single + "AggregatedList", "id": "projects/" + c.project.ID + "/aggregated/" + c.collection.name, "items": groups}
	if next != "" {
		answer["nextPageToken"] = next
	}
	if unreachable != "" {
		answer["unreachables"] = []string{cloud.Scope(unreachable)}
	}
	return answer, nil
}

// filtered are the resources of the collection that keep and the request's
// filter let through.
func (h *Handler) filtered(c *call, keep func(*cloud.Resource) bool) ([]rendered, error) {
	matches, err := parseFilter(c.URL.Query().Get("filter"))
	if err != nil {
		return nil, err
	}
	var items []rendered
	if c.collection.kind == "" {
		return nil, nil
	}
	for _, r := range h.world.Resources(c.collection.kind, c.project.ID) {
		if !keep(&r) {
			continue
		}
		if item := h.render(c, &r); matches(item.fields) {
			items = append(items, item)
		}
	}
	return items, nil
}

// paginate cuts a page out of the items. A page token is the number of items
// before the page.
func paginate(c *call, items []rendered) (page []rendered, next string, err error) {
	size, from := maxPage, 0
	if text := c.URL.Query().Get("maxResults"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 0 || size > maxPage {
			return nil, "", cloud.Errorf(cloud.InvalidArgument, "Invalid value for field 'maxResults': '%s'. Must be between 0 and %d.", text, maxPage)
		}
		if size == 0 {
			size = maxPage
		}
	}
	if text := c.URL.Query().Get("pageToken"); text != "" {
		if from, err = strconv.Atoi(text); err != nil || from < 0 {
			return nil, "", cloud.Errorf(cloud.InvalidArgument, "Invalid value for field 'pageToken': '%s'.", text)
		}
	}
	from = min(from, len(items))
	end := min(from+size, len(items))
	if end < len(items) {
		next = strconv.Itoa(end)
	}
	return slices.Clone(items[from:end]), next, nil
}

func (h *Handler) get(c *call) (any, error) {
	r, err := h.world.Resource(c.collection.kind, c.project.ID, c.location, c.PathValue("name"))
	if err != nil {
		return nil, missing(c, err)
	}
	return h.render(c, &r), nil
}

// remove deletes a resource and answers with the receipt. What was scripted
// to fail is not deleted and its receipt says so.
func (h *Handler) remove(c *call) (any, error) {
	name := c.PathValue("name")
	if !c.collection.deletes {
		return nil, cloud.Errorf(cloud.InvalidArgument, "%s of a cluster are deleted by Kubernetes Engine.", c.collection.name)
	}
	op := cloud.ComputeOperation{Type: "delete", Target: c.path(c.collection.name) + "/" + name}
	if h.world.Take("delete-fails", c.occasion()) != nil {
		if _, err := h.world.Resource(c.collection.kind, c.project.ID, c.location, name); err != nil {
			return nil, missing(c, err)
		}
		op.FailedCode, op.FailedText = "INTERNAL_ERROR", "Internal error. Please try again or contact Google Support."
		return h.receipt(c, op)
	}
	gone, err := h.world.Remove(c.collection.kind, c.project.ID, c.location, name)
	if err != nil {
		return nil, missing(c, err)
	}
	op.TargetID = gone.ID
	return h.receipt(c, op)
}

// missing says by the collection's own name what was not found.
func missing(c *call, err error) error {
	if cloud.CodeOf(err) != cloud.NotFound {
		return err
	}
	return cloud.Errorf(cloud.NotFound, "The resource '%s/%s' was not found", c.path(c.collection.name), c.PathValue("name"))
}

// path is projects/P/zones/Z/rest.
func (c *call) path(rest string) string {
	return "projects/" + c.project.ID + "/" + cloud.Scope(c.location) + "/" + rest
}
