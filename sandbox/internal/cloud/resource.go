package cloud

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of Compute resource.
type Kind string

// The kinds the sandbox keeps.
const (
	KindInstance        Kind = "instance"
	KindDisk            Kind = "disk"
	KindSnapshot        Kind = "snapshot"
	KindAddress         Kind = "address"
	KindForwardingRule  Kind = "forwardingRule"
	KindTargetPool      Kind = "targetPool"
	KindEndpointGroup   Kind = "networkEndpointGroup"
	KindFirewall        Kind = "firewall"
	KindHealthCheck     Kind = "healthCheck"
	KindHTTPHealthCheck Kind = "httpHealthCheck"
)

// Global is the location of resources that are in no zone or region.
const Global = "global"

// Resource is one Compute resource: what the rules of the cloud look at, and
// in Asked what its creator said besides, in the API's own terms.
type Resource struct {
	Kind        Kind              `json:"kind"`
	Project     string            `json:"project"`
	Location    string            `json:"location"` // zone, region or global
	Name        string            `json:"name"`
	ID          uint64            `json:"id"`
	Created     time.Time         `json:"created"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Status      string            `json:"status,omitempty"`
	ClusterID   string            `json:"clusterId,omitempty"` // the cluster it was made for

	Type         string    `json:"type,omitempty"`     // machine or disk type
	SizeGB       int64     `json:"sizeGB,omitempty"`   // disks and snapshots
	Source       string    `json:"source,omitempty"`   // a snapshot's disk
	Users        []string  `json:"users,omitempty"`    // instances that use a disk
	Pool         string    `json:"pool,omitempty"`     // an instance's node pool
	Spot         bool      `json:"spot,omitempty"`     // an instance's price class
	External     bool      `json:"external,omitempty"` // an instance with an external address
	IP           string    `json:"ip,omitempty"`
	Ports        []int32   `json:"ports,omitempty"`     // forwarding rules
	Target       string    `json:"target,omitempty"`    // a forwarding rule's target pool
	Instances    []string  `json:"instances,omitempty"` // a target pool's or endpoint group's, as zone/name
	Checks       []string  `json:"checks,omitempty"`    // a target pool's HTTP health checks
	Port         int32     `json:"port,omitempty"`      // a health check's
	LastAttached time.Time `json:"lastAttached,omitzero"`
	LastDetached time.Time `json:"lastDetached,omitzero"`

	Asked json.RawMessage `json:"asked,omitempty"` // opaque here
}

func resourceKey(kind Kind, project, location, name string) string {
	return strings.Join([]string{string(kind), project, location, name}, "/")
}

func (r *Resource) key() string { return resourceKey(r.Kind, r.Project, r.Location, r.Name) }

func (r *Resource) clone() Resource {
	d := *r
	d.Labels, d.Users, d.Instances = maps.Clone(r.Labels), slices.Clone(r.Users), slices.Clone(r.Instances)
	return d
}

// Insert adds a resource: AlreadyExists when there is one, a QuotaError when
// the project may not have another.
func (w *World) Insert(r Resource) (Resource, error) {
	// A copy takes as long as it is large, and everybody else must not wait
	// for it: it is made beforehand, and here put in its place.
	content, err := w.prepare(&r)
	if err != nil {
		return r, err
	}
	defer content.discard()
	err = w.change(func(s *state) error {
		if s.Resources[r.key()] != nil {
			return Errorf(AlreadyExists, "The resource '%s' already exists", r.path())
		}
		if r.IP == "" && (r.Kind == KindAddress || r.Kind == KindForwardingRule) {
			var err error
			if r.IP, err = s.freeAddress(w.network, r.Ports); err != nil {
				return err
			}
		}
		if err := s.insert(&r); err != nil {
			return err
		}
		if err := content.settle(); err != nil {
			delete(s.Resources, r.key())
			return err
		}
		return nil
	})
	return r, err
}

// insert adds r when quota allows it.
func (s *state) insert(r *Resource) error {
	if err := s.checkQuota(r.Project, RegionOf(r.Location), r.Name, needs(r)); err != nil {
		return err
	}
	r.ID, r.Created = numericID(), now()
	kept := r.clone()
	s.Resources[r.key()] = &kept
	return nil
}

// Resource finds one; NotFound when there is none.
func (w *World) Resource(kind Kind, project, location, name string) (Resource, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.state.Resources[resourceKey(kind, project, location, name)]
	if r == nil {
		return Resource{}, notFound(kind, project, location, name)
	}
	return r.clone(), nil
}

// Resources lists the resources of a kind in a project (in all when empty), by
// location and name.
func (w *World) Resources(kind Kind, project string) []Resource {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Resource
	for _, r := range w.state.of(kind) {
		if project == "" || r.Project == project {
			all = append(all, r.clone())
		}
	}
	return all
}

// ChangeResource applies f to a resource; NotFound when it is gone.
func (w *World) ChangeResource(kind Kind, project, location, name string, f func(*Resource)) error {
	return w.change(func(s *state) error {
		r := s.Resources[resourceKey(kind, project, location, name)]
		if r == nil {
			return notFound(kind, project, location, name)
		}
		f(r)
		return nil
	})
}

// Remove deletes a resource: NotFound when there is none, InUse while another
// one needs it.
func (w *World) Remove(kind Kind, project, location, name string) (Resource, error) {
	var gone Resource
	err := w.change(func(s *state) error {
		r := s.Resources[resourceKey(kind, project, location, name)]
		if r == nil {
			return notFound(kind, project, location, name)
		}
		if user := s.userOf(r); user != nil {
			return Errorf(InUse, "The %s resource '%s' is already being used by '%s'", r.Kind, r.path(), user.path())
		}
		gone = r.clone()
		s.remove(r)
		w.empty(&gone)
		return nil
	})
	return gone, err
}

func (s *state) remove(r *Resource) {
	if r.Kind == KindInstance {
		s.removeInstance(r)
		return
	}
	delete(s.Resources, r.key())
	if r.Kind == KindForwardingRule {
		if a := s.Resources[resourceKey(KindAddress, r.Project, r.Location, s.addressOf(r))]; a != nil {
			a.Status = "RESERVED"
		}
	}
}

// addressOf is the name of the address resource with the rule's IP.
func (s *state) addressOf(rule *Resource) string {
	for _, a := range s.of(KindAddress) {
		if a.Project == rule.Project && a.IP == rule.IP {
			return a.Name
		}
	}
	return ""
}

// userOf is a resource that keeps r from being deleted, nil when there is none.
func (s *state) userOf(r *Resource) *Resource {
	uses := func(*Resource) bool { return false }
	kind := KindForwardingRule
	switch r.Kind {
	case KindDisk:
		if len(r.Users) > 0 {
			return &Resource{Kind: KindInstance, Project: r.Project, Location: r.Location, Name: r.Users[0]}
		}
	case KindTargetPool:
		uses = func(u *Resource) bool { return u.Target == r.Name && u.Location == r.Location }
	case KindAddress:
		uses = func(u *Resource) bool { return u.IP == r.IP && u.Location == r.Location }
	case KindHTTPHealthCheck:
		kind = KindTargetPool
		uses = func(u *Resource) bool { return slices.Contains(u.Checks, r.Name) }
	default: // nothing needs it
	}
	for _, u := range s.of(kind) {
		if u.Project == r.Project && uses(u) {
			return u
		}
	}
	return nil
}

// of lists the resources of a kind by project, location and name.
func (s *state) of(kind Kind) []*Resource {
	var all []*Resource
	for _, r := range s.Resources {
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *Resource) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Location, b.Location), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func notFound(kind Kind, project, location, name string) error {
	r := Resource{Kind: kind, Project: project, Location: location, Name: name}
	return Errorf(NotFound, "The resource '%s' was not found", r.path())
}

// path is how Compute's messages name the resource.
func (r *Resource) path() string {
	return fmt.Sprintf("projects/%s/%s/%ss/%s", r.Project, Scope(r.Location), r.Kind, r.Name)
}

// Scope is the part of a Compute path that names a location.
func Scope(location string) string {
	switch {
	case location == Global:
		return Global
	case IsZone(location):
		return "zones/" + location
	default:
		return "regions/" + location
	}
}

// Fingerprint is a short digest of labels: equal labels, equal fingerprint.
func Fingerprint(labels map[string]string) string {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(h, "%s=%s\n", k, labels[k])
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)[:8])
}
