package chaos

import (
	"context"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
)

// How a look at the cloud goes wrong; "" when it does not.
const (
	surveyFails = "no list"
	surveyHalf  = "half a list"
	surveyEmpty = "an empty list" // which says that it is whole
	surveyBlind = "no disks"
)

// sweepAtWork is the sweep for orphans while everything else goes on. How its
// look goes is drawn before: it looks from a goroutine of its own, and there
// nothing may be drawn.
func (w *world) sweepAtWork() {
	r := w.any()
	survey := rapid.SampledFrom([]string{"", "", "", surveyFails, surveyHalf, surveyEmpty, surveyBlind}).Draw(w.T, "survey")
	w.begin(r, "sweep", func(ctx context.Context) (time.Duration, error) {
		w.survey = survey
		w.struck["swept"]++
		if survey != "" {
			w.struck[survey]++
		}
		_, err := r.service.SweepOrphans(ctx, environment.OrphanRun{})
		return 0, err
	})
}

// maxStrays is as many as a sweep deletes without a person.
const maxStrays = 2

// stray is what daskbot made and has no record of, as after a restore from an
// old copy: a cluster with its disk. In the end it must be gone.
func (w *world) stray() {
	if known, err := w.store.Clusters(context.Background(), true); err != nil || len(known) == 0 || w.strays == maxStrays {
		return // a store that knows of nothing is not believed
	}
	w.strays++
	id := fmt.Sprintf("stray%d", w.strays)
	row := environment.Cluster{ID: id, Name: "dask-" + id, Project: project}
	w.cloud.clusters[row.Name] = &cluster{row: row, readyAt: w.now, spaces: map[string]bool{},
		releases: map[string]environment.SeenRelease{}, exposed: map[string]time.Time{}}
	w.cloud.disks[row.Name+"/ns"] = row.Name
	w.struck["stray"]++
}
