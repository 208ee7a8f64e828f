package compute

import (
	"strconv"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// longestWait is how long operations.wait blocks at most.
const longestWait = 2 * time.Minute

// receipt records an operation in the call's location and shows it.
func (h *Handler) receipt(c *call, op cloud.ComputeOperation) (any, error) {
	op.Project, op.Location = c.project.ID, c.location
	op, err := h.world.AddComputeOperation(op)
	if err != nil {
		return nil, err
	}
	return c.showOperation(op), nil
}

func (h *Handler) getOperation(c *call) (any, error) {
	op, err := h.world.ComputeOperation(c.project.ID, c.location, c.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return c.showOperation(op), nil
}

func (h *Handler) waitOperation(c *call) (any, error) {
	op, err := h.world.ComputeOperation(c.project.ID, c.location, c.PathValue("name"))
	if err != nil {
		return nil, err
	}
	if err := sleep(c.Request, min(longestWait, time.Until(op.End))); err != nil {
		return nil, err
	}
	return c.showOperation(op), nil
}

func (h *Handler) listOperations(c *call) (any, error) {
	var items []any
	for _, op := range h.world.ComputeOperations(c.project.ID) {
		if op.Location == c.location {
			items = append(items, c.showOperation(op))
		}
	}
	return map[string]any{"kind": "compute#operationList", "items": items}, nil
}

func (h *Handler) aggregateOperations(c *call) (any, error) {
	groups := map[string]map[string][]any{}
	for _, op := range h.world.ComputeOperations(c.project.ID) {
		scope := cloud.Scope(op.Location)
		if groups[scope] == nil {
			groups[scope] = map[string][]any{}
		}
		groups[scope]["operations"] = append(groups[scope]["operations"], c.showOperation(op))
	}
	return map[string]any{"kind": "compute#operationAggregatedList", "items": groups}, nil
}

// showOperation is how the API shows an operation now.
func (c *call) showOperation(op cloud.ComputeOperation) map[string]any {
	in := "projects/" + op.Project + "/" + cloud.Scope(op.Location)
	m := map[string]any{
		"kind": "compute#operation", "id": strconv.FormatUint(op.ID, 10), "name": op.Name, "operationType": op.Type,
		"targetLink": c.base + op.Target, "status": "RUNNING", "progress": 0,
		"insertTime": stamp(op.Start), "startTime": stamp(op.Start), "selfLink": c.base + in + "/operations/" + op.Name,
	}
	if op.TargetID != 0 {
		m["targetId"] = strconv.FormatUint(op.TargetID, 10)
	}
	switch {
	case cloud.IsZone(op.Location):
		m["zone"] = c.base + in
	case op.Location != cloud.Global:
		m["region"] = c.base + in
	}
	if time.Now().Before(op.End) {
		return m
	}
	m["status"], m["progress"], m["endTime"] = "DONE", 100, stamp(op.End)
	if op.FailedCode != "" {
		m["httpErrorStatusCode"], m["httpErrorMessage"] = 503, "SERVICE UNAVAILABLE"
		m["error"] = map[string]any{"errors": []any{map[string]any{"code": op.FailedCode, "message": op.FailedText}}}
	}
	return m
}
