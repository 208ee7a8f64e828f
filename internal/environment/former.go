package environment

import "slices"

// Former is the part of a recipe that an upgrade replaced and that still is the
// last one known to work, since the upgrade has not been ready yet.
type Former struct {
	// Generation is the upgrade's. Once that, or a later one, is carried out,
	// what it replaced is history, whichever version of daskbot wrote that down.
	Generation int64     `json:"generation"`
	Releases   []Release `json:"releases"`
	Access     Access    `json:"access"`
	Workers    Workers   `json:"workers"`
}

// Renew takes what is installed from the profile as it is now, and keeps what
// ran. Where it runs was decided when it was made.
func (e *Environment) Renew(p Profile) {
	ran := Former{Generation: e.Generation + 1, Releases: e.Recipe.Releases, Access: e.Recipe.Access, Workers: e.Recipe.Workers}
	next := Former{Generation: ran.Generation, Releases: p.Releases, Access: p.Access, Workers: p.Workers}
	if e.former() == nil && Fingerprint(ran) != Fingerprint(next) {
		e.Former = &ran
	}
	e.install(next)
	e.Spec.Versions = nil
}

// install makes another part of a recipe the wanted one, and remembers which
// releases it does not have any more. Those for a whole cluster stay, since others
// use them; they go with the cluster.
func (e *Environment) install(next Former) {
	had := e.Dropped
	for _, r := range Render(*e) {
		if !r.ClusterWide {
			had = append(slices.Clip(had), Dropped{Name: r.Name, Namespace: r.Namespace})
		}
	}
	e.Recipe.Releases, e.Recipe.Access, e.Recipe.Workers = next.Releases, next.Access, next.Workers
	e.Dropped = nil
	for _, d := range had {
		if !e.renders(e.Recipe.Releases, d) && !slices.ContainsFunc(e.Dropped, d.same) {
			e.Dropped = append(e.Dropped, d)
		}
	}
}

// renders reports whether a release of that name and namespace is among some.
func (e Environment) renders(releases []Release, d Dropped) bool {
	e.Recipe.Releases = releases
	return slices.ContainsFunc(Render(e), func(r Release) bool { return d.same(Dropped{Name: r.Name, Namespace: r.Namespace}) })
}

// Dropped is a release that is to be taken away.
type Dropped struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Stuck is set once it could not be taken away; the way down tries again.
	Stuck bool `json:"stuck,omitempty"`
}

func (d Dropped) same(other Dropped) bool {
	return d.Name == other.Name && d.Namespace == other.Namespace
}

// Droppable is the next release to take away while the environment lives; false
// for none. One that an upgrade left out holds what may be needed again until the
// upgrade has been ready.
func (e Environment) Droppable() (Dropped, bool) {
	var wanted []Release
	if ran := e.former(); ran != nil {
		wanted = ran.Releases
	}
	i := slices.IndexFunc(e.Dropped, func(d Dropped) bool { return !d.Stuck && !e.renders(wanted, d) })
	if i < 0 {
		return Dropped{}, false
	}
	return e.Dropped[i], true
}

// Drop notes that a release was taken away, or cannot be.
func (e *Environment) Drop(d Dropped, stuck bool) {
	rest := slices.DeleteFunc(slices.Clone(e.Dropped), d.same)
	if stuck {
		d.Stuck = true
		rest = append(rest, d)
	}
	e.Dropped = rest
}

// former is what an upgrade that has not been ready yet replaced; nil for none.
func (e Environment) former() *Former {
	if e.Good == nil || e.Former == nil || e.ObservedGeneration >= e.Former.Generation {
		return nil
	}
	return e.Former
}

// TakeBack makes what last was ready the wanted one again: the specification,
// and the recipe that it was of. Deadlines stay, since they install nothing.
func (e *Environment) TakeBack() {
	if ran := e.former(); ran != nil {
		e.install(*ran)
	}
	good := *e.Good
	good.TTL, good.Until = e.Spec.TTL, e.Spec.Until
	e.Spec, e.Former = good, nil
}
