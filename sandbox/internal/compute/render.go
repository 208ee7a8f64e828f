package compute

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// rendered is a resource as the API shows it.
type rendered struct {
	scope  string // zones/Z, regions/R or global
	fields map[string]any
}

// MarshalJSON writes the fields.
func (r rendered) MarshalJSON() ([]byte, error) { return json.Marshal(r.fields) }

// stamp writes a time as Compute does.
func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000-07:00") }

// render shows a resource: what its creator said, overlaid with what is.
func (h *Handler) render(c *call, r *cloud.Resource) rendered {
	f := map[string]any{}
	if len(r.Asked) > 0 {
		_ = json.Unmarshal(r.Asked, &f) // it was an object when it was stored
	}
	in := "projects/" + r.Project + "/" + cloud.Scope(r.Location)
	link := func(rest string) string { return c.base + in + "/" + rest }
	f["kind"], f["id"], f["name"] = collectionOf(r.Kind).single, strconv.FormatUint(r.ID, 10), r.Name
	f["creationTimestamp"], f["selfLink"] = stamp(r.Created), link(collectionOf(r.Kind).name+"/"+r.Name)
	set(f, "description", r.Description)
	set(f, "status", r.Status)
	if r.Kind != cloud.KindFirewall && r.Kind != cloud.KindTargetPool && r.Kind != cloud.KindEndpointGroup { // these have no labels
		if len(r.Labels) > 0 {
			f["labels"] = r.Labels
		}
		f["labelFingerprint"] = cloud.Fingerprint(r.Labels)
	}
	switch {
	case cloud.IsZone(r.Location):
		f["zone"] = c.base + in
	case r.Location != cloud.Global:
		f["region"] = c.base + in
	}
	h.renderKind(c, r, f, link)
	return rendered{scope: cloud.Scope(r.Location), fields: f}
}

func set(f map[string]any, key, value string) {
	if value != "" {
		f[key] = value
	}
}

// renderKind adds what only resources of r's kind have.
func (h *Handler) renderKind(c *call, r *cloud.Resource, f map[string]any, link func(string) string) {
	switch r.Kind {
	case cloud.KindInstance:
		renderInstance(r, f, link)
	case cloud.KindDisk:
		renderDisk(r, f, link)
	case cloud.KindSnapshot:
		f["diskSizeGb"], f["storageBytes"] = strconv.FormatInt(r.SizeGB, 10), strconv.FormatInt(r.SizeGB<<30, 10)
		f["sourceDisk"] = c.base + r.Source
	case cloud.KindAddress:
		f["address"], f["addressType"], f["networkTier"] = r.IP, "EXTERNAL", "PREMIUM"
		if r.Status == "IN_USE" {
			f["users"] = []string{link("forwardingRules/" + r.Name)}
		}
	case cloud.KindForwardingRule:
		renderForwardingRule(r, f, link)
	case cloud.KindTargetPool:
		renderTargetPool(c, r, f)
	case cloud.KindEndpointGroup:
		f["networkEndpointType"], f["size"] = "GCE_VM_IP_PORT", len(r.Instances)
	case cloud.KindFirewall:
		renderFirewall(c, r, f)
	case cloud.KindHTTPHealthCheck, cloud.KindHealthCheck:
		f["port"], f["requestPath"], f["checkIntervalSec"], f["timeoutSec"] = r.Port, "/healthz", 8, 1
	}
}

func renderInstance(r *cloud.Resource, f map[string]any, link func(string) string) {
	f["machineType"] = link("machineTypes/" + r.Type)
	f["scheduling"] = map[string]any{"preemptible": r.Spot, "provisioningModel": map[bool]string{true: "SPOT", false: "STANDARD"}[r.Spot]}
	f["disks"] = []any{map[string]any{"kind": "compute#attachedDisk", "boot": true, "autoDelete": true, "source": link("disks/" + r.Name)}}
	f["networkInterfaces"] = []any{map[string]any{"name": "nic0"}}
	f["tags"] = map[string]any{"items": []string{"gke-" + r.Labels["goog-k8s-cluster-name"] + "-node"}}
}

func renderDisk(r *cloud.Resource, f map[string]any, link func(string) string) {
	f["sizeGb"], f["type"] = strconv.FormatInt(r.SizeGB, 10), link("diskTypes/"+r.Type)
	if len(r.Users) > 0 {
		users := make([]string, 0, len(r.Users))
		for _, u := range r.Users {
			users = append(users, link("instances/"+u))
		}
		f["users"] = users
	}
	if !r.LastAttached.IsZero() {
		f["lastAttachTimestamp"] = stamp(r.LastAttached)
	}
	if !r.LastDetached.IsZero() {
		f["lastDetachTimestamp"] = stamp(r.LastDetached)
	}
}

func renderForwardingRule(r *cloud.Resource, f map[string]any, link func(string) string) {
	f["IPAddress"], f["IPProtocol"], f["loadBalancingScheme"], f["networkTier"] = r.IP, "TCP", "EXTERNAL", "PREMIUM"
	if len(r.Ports) > 0 {
		lo, hi := r.Ports[0], r.Ports[0]
		for _, p := range r.Ports {
			lo, hi = min(lo, p), max(hi, p)
		}
		f["portRange"] = fmt.Sprintf("%d-%d", lo, hi)
	}
	if r.Target != "" {
		f["target"] = link("targetPools/" + r.Target)
	}
}

func renderTargetPool(c *call, r *cloud.Resource, f map[string]any) {
	f["sessionAffinity"] = "NONE"
	project := c.base + "projects/" + r.Project + "/"
	var instances, checks []string
	for _, member := range r.Instances {
		zone, name, _ := strings.Cut(member, "/")
		instances = append(instances, project+"zones/"+zone+"/instances/"+name)
	}
	for _, check := range r.Checks {
		checks = append(checks, project+"global/httpHealthChecks/"+check)
	}
	if instances != nil {
		f["instances"] = instances
	}
	if checks != nil {
		f["healthChecks"] = checks
	}
}

func renderFirewall(c *call, r *cloud.Resource, f map[string]any) {
	ports := []string{}
	for _, p := range r.Ports {
		ports = append(ports, strconv.Itoa(int(p)))
	}
	f["network"] = c.base + "projects/" + r.Project + "/global/networks/default"
	f["direction"], f["priority"], f["sourceRanges"] = "INGRESS", 1000, []string{"0.0.0.0/0"}
	f["allowed"] = []any{map[string]any{"IPProtocol": "tcp", "ports": ports}}
	if r.IP != "" {
		f["destinationRanges"] = []string{r.IP}
	}
}
