package compute

import (
	"slices"
	"strconv"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

func (h *Handler) getProject(c *call) (any, error) {
	quotas, err := h.world.Quotas(c.project.ID, "")
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"kind": "compute#project", "id": strconv.FormatInt(c.project.Number, 10), "name": c.project.ID, "quotas": quotas,
		"selfLink": c.base + "projects/" + c.project.ID, "defaultNetworkTier": "PREMIUM", "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
	}, nil
}

func (h *Handler) listRegions(c *call) (any, error) {
	return h.places(c, "compute#regionList", cloud.Regions(), h.region)
}

func (h *Handler) listZones(c *call) (any, error) {
	var zones []string
	for _, r := range cloud.Regions() {
		zones = append(zones, cloud.ZonesOf(r)...)
	}
	return h.places(c, "compute#zoneList", zones, h.zone)
}

func (h *Handler) places(c *call, kind string, names []string, show func(*call, string) (map[string]any, error)) (any, error) {
	matches, err := parseFilter(c.URL.Query().Get("filter"))
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, name := range names {
		place, err := show(c, name)
		if err != nil {
			return nil, err
		}
		if matches(place) {
			items = append(items, place)
		}
	}
	return map[string]any{"kind": kind, "items": items}, nil
}

func (h *Handler) getRegion(c *call) (any, error) {
	if !slices.Contains(cloud.Regions(), c.location) {
		return nil, cloud.Errorf(cloud.NotFound, "The resource 'projects/%s/regions/%s' was not found", c.project.ID, c.location)
	}
	return h.region(c, c.location)
}

func (h *Handler) getZone(c *call) (any, error) {
	if !cloud.IsZone(c.location) {
		return nil, cloud.Errorf(cloud.NotFound, "The resource 'projects/%s/zones/%s' was not found", c.project.ID, c.location)
	}
	return h.zone(c, c.location)
}

func (h *Handler) region(c *call, name string) (map[string]any, error) {
	quotas, err := h.world.Quotas(c.project.ID, name)
	if err != nil {
		return nil, err
	}
	base := c.base + "projects/" + c.project.ID + "/"
	zones := cloud.ZonesOf(name)
	for i := range zones {
		zones[i] = base + "zones/" + zones[i]
	}
	return map[string]any{
		"kind": "compute#region", "id": placeID(name), "name": name, "description": name, "status": "UP",
		"zones": zones, "quotas": quotas, "selfLink": base + "regions/" + name,
	}, nil
}

func (h *Handler) zone(c *call, name string) (map[string]any, error) {
	base := c.base + "projects/" + c.project.ID + "/"
	return map[string]any{
		"kind": "compute#zone", "id": placeID(name), "name": name, "description": name, "status": "UP",
		"region": base + "regions/" + cloud.RegionOf(name), "selfLink": base + "zones/" + name,
	}, nil
}

// placeID is a number that belongs to the name.
func placeID(name string) string {
	n := uint64(2000)
	for _, b := range []byte(name) {
		n = n*31 + uint64(b)
	}
	return strconv.FormatUint(n%1e15, 10)
}

func (h *Handler) listMachineTypes(c *call) (any, error) {
	matches, err := parseFilter(c.URL.Query().Get("filter"))
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, m := range cloud.MachineTypes() {
		if shown := c.machineType(m); matches(shown) {
			items = append(items, shown)
		}
	}
	return map[string]any{"kind": "compute#machineTypeList", "items": items}, nil
}

func (h *Handler) getMachineType(c *call) (any, error) {
	m, ok := cloud.LookupMachineType(c.PathValue("name"))
	if !ok {
		return nil, cloud.Errorf(cloud.NotFound, "The resource '%s' was not found", c.path("machineTypes/"+c.PathValue("name")))
	}
	return c.machineType(m), nil
}

func (c *call) machineType(m cloud.MachineType) map[string]any {
	return map[string]any{
		"kind": "compute#machineType", "id": placeID(m.Name), "name": m.Name, "guestCpus": m.MilliCPU / 1000,
		"memoryMb": m.MemoryBytes >> 20, "isSharedCpu": m.CPUs*1000 != m.MilliCPU, "zone": c.location,
		"selfLink": c.base + c.path("machineTypes/"+m.Name),
	}
}
