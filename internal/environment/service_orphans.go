package environment

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// OrphanConfig is what the orphan sweep needs beyond what every command does.
type OrphanConfig struct {
	Leavings Leavings // nil: there is no cloud to sweep
	// Projects are those of the configuration; Linked lists those that people
	// linked. Those of stored clusters come on top.
	Projects []string
	Linked   func(ctx context.Context) ([]string, error)
	// Grace is for how long an orphan is only reported.
	Grace time.Duration
	// MaxPerRun bounds how many orphans one sweep acts on.
	MaxPerRun int
}

// OrphanRun says how a sweep goes; the zero value is how the clock's does.
type OrphanRun struct {
	// Dry only compares and remembers what was found.
	Dry bool
	// AtOnce does not wait for the grace, nor for a sweep that is held because
	// too much looks left over. It needs an admin.
	AtOnce bool
	// By is the person who asked, who may while the reaper is paused; "" for
	// none.
	By string
}

// orphanSurveys is how many projects are asked at once; rates are per project.
const orphanSurveys = 8

// Orphans is what the last sweep found; a zero At means that there was none.
// Staff and admins.
func (s *Service) Orphans(ctx context.Context, who Caller) (Orphans, error) {
	if err := Authorize(who, ActionReap, "", ""); err != nil {
		return Orphans{}, err
	}
	found, _, err := s.lastOrphans(ctx)
	return found, err
}

// FindOrphans compares cloud and store now, deletes nothing and remembers what
// it found. Staff and admins. Errors as of SweepOrphans.
func (s *Service) FindOrphans(ctx context.Context, who Caller) (Orphans, error) {
	if _, err := s.Orphans(ctx, who); err != nil {
		return Orphans{}, err
	}
	return s.SweepOrphans(ctx, OrphanRun{Dry: true, By: who.Subject})
}

// DeleteOrphans is a sweep that a person asked for. Staff may have done what a
// sweep does by itself; what it would wait with (atOnce) is for admins.
func (s *Service) DeleteOrphans(ctx context.Context, who Caller, dry, atOnce bool) (Orphans, error) {
	action := ActionReap
	if atOnce {
		action = ActionAdminister
	}
	if err := Authorize(who, action, "", ""); err != nil {
		return Orphans{}, err
	}
	return s.SweepOrphans(ctx, OrphanRun{Dry: dry, AtOnce: atOnce, By: who.Subject})
}

// SweepOrphans compares the cloud with the store, both ways; wakes the rows of
// clusters that are gone; and deletes, or hands to the runner, what was an
// orphan for longer than the grace. It does not wait until it is gone: the
// next sweep sees. One orphan that cannot be deleted does not keep the others;
// its Done and Err say so.
//
// Its error means that the store does not answer (CodeUnavailable) or that
// there is no cloud to sweep (CodeInvalid), and that nothing was done. A
// project that does not answer is no error: it is listed as Unsure.
func (s *Service) SweepOrphans(ctx context.Context, run OrphanRun) (Orphans, error) {
	if s.orphans.Leavings == nil {
		return Orphans{}, Errorf(CodeInvalid, "This daskbot makes nothing in a cloud, so there is nothing to sweep.")
	}
	before, note, err := s.lastOrphans(ctx)
	if err != nil {
		return Orphans{}, err
	}
	census, err := s.census(ctx, before)
	if err != nil {
		return Orphans{}, err
	}
	found := FindOrphans(census)
	if err := s.holdOrphans(ctx, &found, run); err != nil {
		return Orphans{}, err
	}
	ripe := s.ripeOrphans(&found, run)
	if !run.Dry {
		if err := s.wakeLost(ctx, found.Lost); err != nil {
			return Orphans{}, err
		}
		s.actOnOrphans(ctx, ripe, first(run.By, reaperCaller.Subject))
	}
	return found, s.noteOrphans(ctx, note, found)
}

// holdOrphans lets nothing be deleted without a person while the reaper is
// paused.
func (s *Service) holdOrphans(ctx context.Context, found *Orphans, run OrphanRun) error {
	state, err := s.Reaper(ctx)
	if err == nil && state.Paused && run.By == "" {
		found.Held = "The reaper is paused."
	}
	return err
}

func (s *Service) ripeOrphans(found *Orphans, run OrphanRun) []*Orphan {
	if found.Held != "" && !(run.AtOnce && run.By != "") {
		found.hold()
		return nil
	}
	return found.Ripe(found.At, s.orphans.MaxPerRun, run.AtOnce)
}

// hold marks all that would be deleted as only reported.
func (o *Orphans) hold() {
	for i := range o.Items {
		if it := &o.Items[i]; it.Action == OrphanDelete || it.Action == OrphanAdopt {
			it.Action, it.Reason = OrphanReport, it.Reason+" Held: "+o.Held
		}
	}
}

// census asks the cloud first and reads the rows afterwards: a row is written
// before its cluster is asked for, so what the cloud shows has its row.
func (s *Service) census(ctx context.Context, before Orphans) (Census, error) {
	c := Census{Now: s.clock(), Grace: s.orphans.Grace, Before: before, Prices: s.listed()}
	projects, err := s.sweptProjects(ctx)
	if err != nil {
		return c, err
	}
	c.Surveys = make([]Survey, len(projects))
	var wait sync.WaitGroup
	turns := make(chan struct{}, orphanSurveys)
	for i, project := range projects {
		turns <- struct{}{}
		wait.Go(func() {
			c.Surveys[i] = s.survey(ctx, project)
			<-turns
		})
	}
	wait.Wait()
	if c.Clusters, err = s.store.Clusters(ctx, true); err != nil {
		return c, err
	}
	err = s.each(ctx, Filter{}, func(e Environment) bool {
		c.Environments = append(c.Environments, e)
		return true
	})
	return c, err
}

// sweptProjects are all that daskbot may ever have made something in.
func (s *Service) sweptProjects(ctx context.Context) ([]string, error) {
	all := slices.Clone(s.orphans.Projects)
	if s.orphans.Linked != nil {
		linked, err := s.orphans.Linked(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, linked...)
	}
	clusters, err := s.store.Clusters(ctx, true)
	if err != nil {
		return nil, err
	}
	for _, c := range clusters {
		if c.Given == "" {
			all = append(all, c.Project)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(p string) bool { return p == "" }), nil
}

func (s *Service) survey(ctx context.Context, project string) Survey {
	found := Survey{Project: project}
	clusters, complete, err := s.clusters.Owned(ctx, project)
	switch {
	case err != nil:
		found.Unsure = MessageOf(err)
		return found
	case !complete:
		found.Unsure = "Some zones did not say which clusters they hold."
		return found
	}
	found.Clusters = clusters
	if found.Standing, err = s.orphans.Leavings.Standing(ctx, project); err != nil {
		found.Unsure = MessageOf(err)
	}
	return found
}

// wakeLost lets the runner look by name for clusters that were not listed; it
// believes only that, and then tells their owners.
func (s *Service) wakeLost(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var wake []Job
	for _, id := range ids {
		wake = append(wake, Job{JobCluster, id, UrgencySchedule})
	}
	return s.store.Commit(ctx, Change{Wake: wake})
}

const orphansNote = "orphans"

func (s *Service) lastOrphans(ctx context.Context) (Orphans, Note, error) {
	none := Orphans{Items: []Orphan{}, Lost: []string{}, Unsure: []Unsure{}, PricesAsOf: s.listed().AsOf}
	note, err := s.store.Note(ctx, orphansNote)
	switch {
	case CodeOf(err) == CodeNotFound:
		return none, Note{Key: orphansNote}, nil
	case err != nil:
		return none, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &none); err != nil {
		return none, note, &Error{Code: CodeInternal, Message: "What was noted about leftovers cannot be read.", Err: err}
	}
	return none, note, nil
}

// noteOrphans remembers since when each has been one. When another sweep was
// faster its memory is as good, and stays.
func (s *Service) noteOrphans(ctx context.Context, note Note, found Orphans) error {
	value, err := json.Marshal(found)
	if err != nil {
		return err
	}
	note.Value = string(value)
	if err := s.store.Commit(ctx, Change{Note: &note}); CodeOf(err) != CodeConflict {
		return err
	}
	return nil
}
