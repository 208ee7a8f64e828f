package environment

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// FindOrphans compares the cloud with the store, both ways. It is pure, and
// the only place that decides what is an orphan: a dry run prints exactly what
// the real one does.
//
// A project that did not answer in full, or whose answer cannot be true,
// proves nothing: what was found there before is kept, and nothing of it is
// deleted. What carries another installation's label, or no sign of ours, is
// never an orphan.
func FindOrphans(c Census) Orphans {
	f := &finder{Census: c, books: newBooks(c), before: map[string]Orphan{},
		out: Orphans{At: c.Now, Projects: len(c.Surveys), PricesAsOf: c.Prices.AsOf, Pools: map[string]string{}, Volumes: map[string]float64{},
			Items: []Orphan{}, Lost: []string{}, Unsure: []Unsure{}}}
	for _, o := range c.Before.Items {
		f.before[o.key()] = o
	}
	for _, s := range c.Surveys {
		if why := f.doubt(s); why != "" {
			f.unsure(s.Project, why)
			continue
		}
		f.project(s)
	}
	f.out.Held = f.held()
	f.finish()
	return f.out
}

type finder struct {
	Census
	books  books
	before map[string]Orphan
	out    Orphans
}

// doubt says why a survey proves nothing.
func (f *finder) doubt(s Survey) string {
	if s.Unsure != "" {
		return s.Unsure
	}
	if len(s.Clusters) > 0 {
		return ""
	}
	ready := 0
	for _, c := range f.Clusters {
		if f.lost(c, s) {
			ready++
		}
	}
	if ready == 0 {
		return ""
	}
	return fmt.Sprintf("The list of clusters is empty although daskbot knows of %d there; each is looked at by name first.", ready)
}

// lost says that a row counts on a cluster that the list does not hold.
func (f *finder) lost(c Cluster, s Survey) bool {
	return c.Project == s.Project && c.Given == "" && c.Desired == Present && c.State == StateReady && !s.has(c.At())
}

func (s Survey) has(at ClusterAttempt) bool {
	return slices.ContainsFunc(s.Clusters, func(o OwnedCluster) bool { return o.ClusterAttempt == at })
}

// unsure keeps what is known of a project, and does nothing about it. What
// looks lost there is still worth a look by name, which proves more.
func (f *finder) unsure(project, why string) {
	f.out.Unsure = append(f.out.Unsure, Unsure{Project: project, Reason: why})
	for _, o := range f.Before.Items {
		if o.Project == project {
			o.Action, o.final, o.Done = OrphanReport, "", ""
			f.out.Items = append(f.out.Items, o)
		}
	}
	for key, cluster := range f.Before.Pools {
		if kind, rest, _ := strings.Cut(key, "/"); pools(ResourceKind(kind)) && strings.HasPrefix(rest, project+"/") {
			f.out.Pools[key] = cluster
		}
	}
	for key, usd := range f.Before.Volumes {
		if strings.HasPrefix(key, project+"/") {
			f.out.Volumes[key] = usd
		}
	}
	for _, s := range f.Surveys {
		if s.Project == project && s.Unsure == "" {
			f.findLost(s)
		}
	}
}

func (f *finder) project(s Survey) {
	f.findLost(s)
	for _, o := range s.Clusters {
		f.cluster(o)
	}
	parts := f.balancers(s)
	for _, r := range s.Standing {
		if r.Kind == KindDisk && r.Ours && r.Cluster != "" {
			f.out.Volumes[volumesKey(r.Project, r.Cluster)] += f.Prices.ofStanding(r)
		}
		if !r.Keep && !(r.InUse && r.Kind == KindDisk) {
			f.standing(s, r, parts)
		}
	}
}

func (f *finder) findLost(s Survey) {
	for _, c := range f.Clusters {
		if f.lost(c, s) {
			f.out.Lost = append(f.out.Lost, c.ID)
		}
	}
}

// cluster judges a cluster that carries our label.
func (f *finder) cluster(o OwnedCluster) {
	if _, keep := o.Labels[LabelKeep]; keep || f.books.keeps(o) {
		return
	}
	id := o.Labels[LabelClusterID]
	row, known := f.books.rows[id]
	found := Orphan{Resource: Resource{Kind: KindCluster, Project: o.Project, Location: o.Location, Name: o.Name},
		Cluster: o.Name, Environment: o.Labels[LabelEnvironment], USDPerHour: f.Prices.ofCluster(o)}
	switch {
	case o.State == CloudStopping:
		found.final, found.Reason = OrphanReport, "It is being deleted already."
	case known && row.DeletedAt.IsZero():
		found.ClusterID, found.final, found.Reason = id, OrphanAdopt, "Nothing stands on it any more, and nobody asked for its deletion."
	case known:
		found.ClusterID, found.final, found.Reason = id, OrphanAdopt, "daskbot took it for deleted."
	default:
		found.final, found.Reason = OrphanDelete, "daskbot made it and has no record of it."
	}
	f.add(found)
}

// standing judges a resource of Compute.
func (f *finder) standing(s Survey, r Standing, parts map[string]string) {
	found := Orphan{Resource: r.Resource, Cluster: r.Cluster, USDPerHour: f.Prices.ofStanding(r), final: OrphanDelete}
	if owner, recorded := f.books.recorded[r.Resource]; recorded {
		if owner.Phase != PhaseGone {
			return // the runner is about it
		}
		found.Environment, found.Cluster, found.ClusterID = owner.ID, first(r.Cluster, f.books.rows[owner.ClusterID].Name), owner.ClusterID
		found.Reason = "The environment it belonged to is gone."
		f.add(found)
		return
	}
	if labelled(r.Kind) && !r.Ours {
		f.snapshot(r, found)
		return
	}
	name, ours := parts[r.key()]
	if labelled(r.Kind) {
		name, ours = r.Cluster, true
	}
	switch row, known := f.books.names[name]; {
	case !ours:
		f.unclaimed(s, r, found)
		return
	case f.books.alive[name]:
		return
	case name == "":
		found.final, found.Reason = OrphanReport, "Nothing says which cluster it belonged to; look before you delete it by hand."
	case s.named(name):
		found.final, found.Reason = OrphanReport, "Its cluster "+name+" is left over, too, and goes first."
	default:
		found.Reason = "Its cluster " + name + " is gone."
		if known {
			found.ClusterID, found.Environment = row.ID, row.Environment
		}
	}
	found.Cluster = name
	f.add(found)
}

// labelled kinds say by a label whose they are.
func labelled(k ResourceKind) bool { return k == KindDisk || k == KindSnapshot }

// pools are the kinds that say by the names of machines whose they are.
func pools(k ResourceKind) bool { return k == KindTargetPool || k == KindEndpointGroup }

// snapshot tells of one without our label that was taken of a disk that an
// environment recorded. Somebody took it by hand, and it may be all that is
// left of their work, so that is all.
func (f *finder) snapshot(r Standing, found Orphan) {
	owner, recorded := f.books.recorded[r.Disk]
	if r.Kind != KindSnapshot || !recorded || owner.Phase != PhaseGone {
		return
	}
	found.Environment, found.Cluster, found.ClusterID = owner.ID, f.books.rows[owner.ClusterID].Name, owner.ClusterID
	found.final = OrphanReport
	found.Reason = "Somebody took it of a disk of an environment that is gone; daskbot leaves it alone."
	f.add(found)
}

func (s Survey) named(name string) bool {
	return slices.ContainsFunc(s.Clusters, func(o OwnedCluster) bool { return o.Name == name })
}

// unclaimed tells of a load balancer that serves nothing and says nothing of
// whose it was. It may be another's, so that is all.
func (f *finder) unclaimed(s Survey, r Standing, found Orphan) {
	if r.Kind != KindForwardingRule || r.Service == "" || r.Target == "" {
		return
	}
	pool := slices.IndexFunc(s.Standing, func(p Standing) bool {
		return p.Kind == KindTargetPool && p.Name == r.Target && p.Location == r.Location
	})
	if pool >= 0 && len(s.Standing[pool].Instances) > 0 || f.pooled(s.Standing, pool) {
		return
	}
	found.final = OrphanReport
	found.Reason = "A load balancer of the Service " + r.Service + " without machines behind it. Nothing says whose it was, so daskbot leaves it alone."
	f.add(found)
}

// pooled reports whether a pool is known to be of a cluster.
func (f *finder) pooled(all []Standing, i int) bool {
	return i >= 0 && f.out.Pools[all[i].key()] != ""
}

// nodeName is how GKE names a machine: after its cluster, pool and a hash.
var nodeName = regexp.MustCompile(`^gke-(.+)-default-pool-[0-9a-z]+-[0-9a-z]+$`)

// balancers says of which cluster of ours each part of a load balancer is, by
// the machines of its target pool: nothing else names the cluster.
func (f *finder) balancers(s Survey) map[string]string {
	parts, checks := map[string]string{}, map[string]map[string]bool{}
	for _, p := range s.Standing {
		if !pools(p.Kind) {
			continue
		}
		cluster := f.poolOf(p)
		for _, check := range p.Parts {
			if checks[check] == nil {
				checks[check] = map[string]bool{}
			}
			checks[check][cluster] = true
		}
		if cluster == "" {
			continue
		}
		f.out.Pools[p.key()] = cluster
		if p.Kind == KindEndpointGroup {
			parts[p.key()] = cluster
			continue
		}
		for _, r := range balancerOf(p.Resource) {
			parts[r.key()] = cluster
		}
	}
	for check, of := range checks { // what several clusters name belongs to none
		for cluster := range of {
			if cluster != "" && len(of) == 1 {
				for _, r := range checkOf(s.Project, check) {
					parts[r.key()] = cluster
				}
			}
		}
	}
	return parts
}

// poolOf is the cluster of ours that all machines of a pool or endpoint group are named after,
// or were when there were any.
func (f *finder) poolOf(p Standing) string {
	if len(p.Instances) == 0 {
		return f.Before.Pools[p.key()]
	}
	name := ""
	for _, machine := range p.Instances {
		m := nodeName.FindStringSubmatch(machine)
		if m == nil || name != "" && m[1] != name {
			return ""
		}
		name = m[1]
	}
	if _, ours := f.books.names[name]; !ours {
		return ""
	}
	return name
}

// balancerOf names what GKE makes beside a target pool, which gives the others
// their names.
func balancerOf(pool Resource) []Resource {
	of := func(kind ResourceKind, location, name string) Resource {
		return Resource{Kind: kind, Project: pool.Project, Location: location, Name: name}
	}
	return []Resource{pool, of(KindForwardingRule, pool.Location, pool.Name), of(KindAddress, pool.Location, pool.Name),
		of(KindHTTPHealthCheck, "global", pool.Name), of(KindFirewall, "global", "k8s-fw-"+pool.Name),
		of(KindFirewall, "global", "k8s-"+pool.Name+"-http-hc")}
}

// checkOf names a health check and the firewall that lets it through.
func checkOf(project, name string) []Resource {
	return []Resource{{Kind: KindHTTPHealthCheck, Project: project, Location: "global", Name: name},
		{Kind: KindFirewall, Project: project, Location: "global", Name: name + "-http-hc"}}
}

func (f *finder) add(o Orphan) {
	o.FirstSeen = f.Now
	if old, seen := f.before[o.key()]; seen && !old.FirstSeen.IsZero() {
		o.FirstSeen = old.FirstSeen
	}
	if o.Action = o.final; o.final != OrphanReport {
		o.DeleteAt = o.FirstSeen.Add(f.Grace)
		if f.Now.Before(o.DeleteAt) {
			o.Action = OrphanWait
		}
	}
	f.out.Items = append(f.out.Items, o)
}

// fewClusters is how many clusters may always go in one sweep.
const fewClusters = 3

// held says why a sweep deletes nothing unless an admin insists: a store that was
// lost, or restored from an old copy, makes orphans of everything.
func (f *finder) held() string {
	mine, orphans := 0, 0
	for _, s := range f.Surveys {
		mine += len(s.Clusters)
	}
	for _, o := range f.out.Items {
		if o.Kind == KindCluster && o.final != OrphanReport {
			orphans++
		}
	}
	switch {
	case orphans > 0 && len(f.Clusters) == 0:
		return fmt.Sprintf("The store knows of no cluster at all and the cloud holds %d; is it the right store? If it is, an admin deletes them with `daskbot orphans --delete --now`.", mine)
	case orphans > fewClusters && 2*orphans > mine:
		return fmt.Sprintf("%d of %d clusters look like leftovers, and a store that was restored from an old copy would say so, too; an admin deletes them with `daskbot orphans --delete --now`.", orphans, mine)
	default:
		return ""
	}
}

// finish puts the orphans in the order in which they can be deleted, and adds
// up what they cost.
func (f *finder) finish() {
	order := append([]ResourceKind{KindCluster}, ResourceKinds()...)
	slices.SortStableFunc(f.out.Items, func(a, b Orphan) int {
		return cmp.Or(slices.Index(order, a.Kind)-slices.Index(order, b.Kind), cmp.Compare(a.key(), b.key()))
	})
	for _, o := range f.out.Items {
		f.out.USDPerHour += o.USDPerHour
	}
	slices.Sort(f.out.Lost)
}

// Ripe are the orphans to act on now, at most limit of them: those whose grace
// is over, or with at once set all that may ever be deleted.
func (o *Orphans) Ripe(at time.Time, limit int, atOnce bool) []*Orphan {
	var ripe []*Orphan
	for i := range o.Items {
		it := &o.Items[i]
		if it.final == "" || it.final == OrphanReport || !atOnce && at.Before(it.DeleteAt) || len(ripe) == limit {
			continue
		}
		it.Action = it.final
		ripe = append(ripe, it)
	}
	return ripe
}
