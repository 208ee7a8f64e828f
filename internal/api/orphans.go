package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// OrphanService is what this package needs to tell of orphans, and to delete
// them.
type OrphanService interface {
	// Orphans is what the last sweep found; FindOrphans compares now.
	Orphans(ctx context.Context, who environment.Caller) (environment.Orphans, error)
	FindOrphans(ctx context.Context, who environment.Caller) (environment.Orphans, error)
	DeleteOrphans(ctx context.Context, who environment.Caller, dry, atOnce bool) (environment.Orphans, error)
}

// Orphan is something in the cloud that costs money and that nothing looks
// after.
type Orphan struct {
	Kind        string     `json:"kind" doc:"As the cloud names its collection: clusters, disks, forwardingRules and so on." example:"disks"`
	Project     string     `json:"project" example:"my-class-2026"`
	Location    string     `json:"location" doc:"A zone, a region or global." example:"europe-west1-b"`
	Name        string     `json:"name" example:"pvc-2f6c9d3e"`
	Cluster     string     `json:"cluster" doc:"The cluster it was made for; empty when nothing says." example:"dask-kq7wm2xd"`
	Environment string     `json:"environment" doc:"The environment it was made for; empty when nothing says." example:"kq7wm2xd"`
	Reason      string     `json:"reason" example:"Its cluster dask-kq7wm2xd is gone."`
	USDPerHour  float64    `json:"usdPerHour" doc:"From list prices; 0 for what only uses up quota." example:"0.025"`
	FirstSeen   time.Time  `json:"firstSeen"`
	DeleteAt    *time.Time `json:"deleteAt" doc:"When its grace is over; null for what is never deleted by itself."`
	Action      string     `json:"action" enum:"report,wait,adopt,delete" doc:"report: only told, the reason says why. wait: until its grace is over. adopt: handed to the runner, which takes it away. delete: deleted." example:"wait"`
	Done        string     `json:"done" enum:",asked,failed,spared" doc:"What became of the action: asked (under way; the next comparison says whether it is gone), failed (tried again later), spared (it turned out to be none); empty when nothing was tried." example:""`
}

// UnsureProject is a project about which nothing could be concluded, and in
// which nothing was therefore deleted.
type UnsureProject struct {
	Project string `json:"project" example:"my-class-2026"`
	Reason  string `json:"reason" example:"Some zones did not say which clusters they hold."`
}

// Orphans is what a comparison of cloud and store found.
type Orphans struct {
	At         *time.Time      `json:"at" doc:"When they were compared; null when they never were."`
	Items      []Orphan        `json:"items" nullable:"false"`
	Lost       []string        `json:"lost" nullable:"false" doc:"Clusters that daskbot counts on and the cloud does not list; each is looked at by name."`
	Unsure     []UnsureProject `json:"unsure" nullable:"false"`
	Projects   int             `json:"projects" doc:"How many projects were compared." example:"3"`
	USDPerHour float64         `json:"usdPerHour" doc:"What all of it costs." example:"0.12"`
	PricesAsOf string          `json:"pricesAsOf" example:"2026-07-30"`
	Held       string          `json:"held" doc:"Why nothing is deleted without a person; empty when it is." example:""`
}

// OrphanDeletion is how orphans are deleted.
type OrphanDeletion struct {
	DryRun bool `json:"dryRun,omitempty" doc:"Only say what would be deleted." example:"true"`
	Now    bool `json:"now,omitempty" doc:"Do not wait for the grace." example:"false"`
}

type orphansInput struct {
	Fresh bool `query:"fresh" doc:"Compare now, which asks the cloud about every project, instead of telling what the last comparison found."`
}

type deleteOrphansInput struct{ Body *OrphanDeletion }

type orphansOutput struct{ Body Orphans }

func (s *Server) orphans() {
	tags := []string{"reaper"}
	add(s, huma.Operation{OperationID: "orphans", Method: http.MethodGet, Path: "/orphans", Tags: tags,
		Summary:     "What costs money and belongs to nobody",
		Description: "For staff and admins. What is in the cloud and no row looks after, as of the last comparison of cloud and store."}, s.listOrphans)
	add(s, huma.Operation{OperationID: "deleteOrphans", Method: http.MethodPost, Path: "/orphans/delete", Tags: tags, DefaultStatus: http.StatusOK,
		Summary: "Delete what belongs to nobody",
		Description: "For staff and admins; now is for admins. Compares cloud and store now and deletes what was an orphan for longer than the grace. " +
			"It does not wait until all is gone: the next comparison says."}, s.deleteOrphans)
}

func (s *Server) listOrphans(ctx context.Context, c call[orphansInput]) (*orphansOutput, error) {
	find := s.service.Orphans
	if c.in.Fresh {
		find = s.service.FindOrphans
	}
	found, err := find(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return &orphansOutput{Body: wireOrphans(found)}, nil
}

func (s *Server) deleteOrphans(ctx context.Context, c call[deleteOrphansInput]) (*orphansOutput, error) {
	how := given(c.in.Body)
	found, err := s.service.DeleteOrphans(ctx, c.who, how.DryRun, how.Now)
	if err != nil {
		return nil, err
	}
	return &orphansOutput{Body: wireOrphans(found)}, nil
}

func wireOrphans(f environment.Orphans) Orphans {
	out := Orphans{At: instant(f.At), Items: []Orphan{}, Lost: append([]string{}, f.Lost...), Unsure: []UnsureProject{},
		Projects: f.Projects, USDPerHour: rounded(f.USDPerHour), PricesAsOf: f.PricesAsOf, Held: f.Held}
	for _, u := range f.Unsure {
		out.Unsure = append(out.Unsure, UnsureProject(u))
	}
	for _, o := range f.Items {
		out.Items = append(out.Items, Orphan{Kind: string(o.Kind), Project: o.Project, Location: o.Location, Name: o.Name,
			Cluster: o.Cluster, Environment: o.Environment, Reason: o.Reason, USDPerHour: rounded(o.USDPerHour),
			FirstSeen: o.FirstSeen.UTC(), DeleteAt: instant(o.DeleteAt), Action: string(o.Action), Done: string(o.Done)})
	}
	return out
}
