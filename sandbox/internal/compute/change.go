package compute

import (
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// maxBody bounds a request's body.
const maxBody = 1 << 20

var nameRule = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// body is what the sandbox looks at in a request to make something.
type body struct {
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	Labels           map[string]string `json:"labels"`
	LabelFingerprint string            `json:"labelFingerprint"`
	SizeGB           json.Number       `json:"sizeGb"`
	Type             string            `json:"type"`
	Target           string            `json:"target"`
	IPAddress        string            `json:"IPAddress"`
	PortRange        string            `json:"portRange"`
	Port             int32             `json:"port"`
	HealthChecks     []string          `json:"healthChecks"`
	Instances        []string          `json:"instances"`
	NetworkEndpoints []endpoint        `json:"networkEndpoints"`
}

func (c *call) read() (body, json.RawMessage, error) {
	var raw json.RawMessage
	var b body
	if err := json.NewDecoder(http.MaxBytesReader(nil, c.Body, maxBody)).Decode(&raw); err != nil {
		return b, nil, cloud.Errorf(cloud.InvalidArgument, "Parse Error: %v", err)
	}
	if err := unquoted(raw, &b); err != nil {
		return b, nil, cloud.Errorf(cloud.InvalidArgument, "Parse Error: %v", err)
	}
	return b, raw, nil
}

// unquoted decodes a body in which 64-bit numbers are strings, as Google's
// clients write them, or numbers, as people do.
func unquoted(raw []byte, b *body) error {
	loose := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &loose); err != nil {
		return err
	}
	if size := loose["sizeGb"]; len(size) > 1 && size[0] == '"' {
		loose["sizeGb"] = size[1 : len(size)-1]
	}
	clean, err := json.Marshal(loose)
	if err != nil {
		return err
	}
	return json.Unmarshal(clean, b)
}

// insert makes a resource of a kind that clients make themselves.
func (h *Handler) insert(c *call) (any, error) { //nolint:gocyclo // one case after the other
	if !c.collection.creates {
		return nil, cloud.Errorf(cloud.InvalidArgument, "This sandbox does not insert %s.", c.collection.name)
	}
	b, raw, err := c.read()
	if err != nil {
		return nil, err
	}
	if !nameRule.MatchString(b.Name) {
		return nil, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field 'resource.name': '%s'. Must be a match of regex '[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?'", b.Name)
	}
	r := cloud.Resource{
		Kind: c.collection.kind, Project: c.project.ID, Location: c.location, Name: b.Name,
		Description: b.Description, Labels: b.Labels, Asked: raw,
	}
	switch r.Kind {
	case cloud.KindDisk:
		r.Status, r.Type, r.SizeGB = "READY", "pd-standard", 500
		if b.Type != "" {
			r.Type = path.Base(b.Type)
		}
		if size, err := b.SizeGB.Int64(); err == nil && size > 0 {
			r.SizeGB = size
		}
	case cloud.KindAddress:
		r.Status = "RESERVED"
	case cloud.KindForwardingRule:
		r.Target, r.IP, r.Ports = path.Base(b.Target), b.IPAddress, ports(b.PortRange)
	case cloud.KindTargetPool:
		for _, check := range b.HealthChecks {
			r.Checks = append(r.Checks, path.Base(check))
		}
		for _, instance := range b.Instances {
			r.Instances = append(r.Instances, path.Base(path.Dir(path.Dir(instance)))+"/"+path.Base(instance))
		}
	case cloud.KindHealthCheck, cloud.KindHTTPHealthCheck:
		r.Port = b.Port
	default: // is made otherwise
	}
	if r, err = h.world.Insert(r); err != nil {
		return nil, err
	}
	return h.receipt(c, cloud.ComputeOperation{Type: "insert", Target: c.path(c.collection.name) + "/" + r.Name, TargetID: r.ID})
}

func ports(portRange string) []int32 {
	var all []int32
	for _, text := range strings.Split(portRange, "-") {
		if p, err := strconv.ParseInt(text, 10, 32); err == nil {
			all = append(all, int32(p))
		}
	}
	return all
}

// act serves the verbs of single resources.
func (h *Handler) act(c *call) (any, error) {
	switch c.method {
	case "disks.createSnapshot":
		return h.createSnapshot(c)
	case "disks.setLabels", "snapshots.setLabels", "addresses.setLabels", "forwardingRules.setLabels":
		return h.setLabels(c)
	case "networkEndpointGroups.attachNetworkEndpoints":
		return h.attachEndpoints(c)
	case "networkEndpointGroups.listNetworkEndpoints":
		return h.listEndpoints(c)
	default:
		return nil, cloud.Errorf(cloud.NotFound, "The requested URL %s was not found on this server.", c.URL.Path)
	}
}

func (h *Handler) createSnapshot(c *call) (any, error) {
	b, raw, err := c.read()
	if err != nil {
		return nil, err
	}
	disk, err := h.world.Resource(cloud.KindDisk, c.project.ID, c.location, c.PathValue("name"))
	if err != nil {
		return nil, missing(c, err)
	}
	if !nameRule.MatchString(b.Name) {
		return nil, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field 'resource.name': '%s'.", b.Name)
	}
	source := c.path("disks") + "/" + disk.Name
	snapshot, err := h.world.Insert(cloud.Resource{
		Kind: cloud.KindSnapshot, Project: c.project.ID, Location: cloud.Global, Name: b.Name, Description: b.Description,
		Labels: b.Labels, Status: "READY", SizeGB: disk.SizeGB, Source: source, ClusterID: disk.ClusterID, Asked: raw,
	})
	if err != nil {
		return nil, err
	}
	return h.receipt(c, cloud.ComputeOperation{Type: "createSnapshot", Target: source, TargetID: snapshot.ID})
}

func (h *Handler) setLabels(c *call) (any, error) {
	b, _, err := c.read()
	if err != nil {
		return nil, err
	}
	stale := false
	err = h.world.ChangeResource(c.collection.kind, c.project.ID, c.location, c.PathValue("name"), func(r *cloud.Resource) {
		if stale = b.LabelFingerprint != cloud.Fingerprint(r.Labels); !stale {
			r.Labels = b.Labels
		}
	})
	if err != nil {
		return nil, missing(c, err)
	}
	if stale {
		return nil, &problem{http.StatusPreconditionFailed, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed"}
	}
	return h.receipt(c, cloud.ComputeOperation{Type: "setLabels", Target: c.path(c.collection.name) + "/" + c.PathValue("name")})
}
