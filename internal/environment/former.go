package environment

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
	e.Recipe.Releases, e.Recipe.Access, e.Recipe.Workers = p.Releases, p.Access, p.Workers
	e.Spec.Versions = nil
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
		e.Recipe.Releases, e.Recipe.Access, e.Recipe.Workers = ran.Releases, ran.Access, ran.Workers
	}
	good := *e.Good
	good.TTL, good.Until = e.Spec.TTL, e.Spec.Until
	e.Spec, e.Former = good, nil
}
