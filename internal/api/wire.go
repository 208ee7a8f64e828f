package api

import (
	"math"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Environment is what is seen of an environment from outside.
type Environment struct {
	ID           string      `json:"id" doc:"Short, lower-case, safe in a DNS label." example:"kq7wm2xd"`
	Owner        string      `json:"owner" doc:"Whose it is." example:"alice"`
	Course       string      `json:"course" doc:"The course it belongs to, empty for none." example:"de-2026"`
	Project      string      `json:"project" doc:"The cloud project that pays, empty on a given cluster." example:"my-class-2026"`
	Profile      string      `json:"profile" doc:"The recipe it was made from." example:"daskhub"`
	State        string      `json:"state" doc:"pending, creating, ready, updating, deleting, deleted or failed; more may be added." example:"creating"`
	Phase        string      `json:"phase" doc:"What is being waited for." example:"cluster"`
	Message      string      `json:"message" doc:"A sentence for the owner about now." example:"Making the Kubernetes cluster."`
	URL          string      `json:"url" doc:"Where the owner logs in, empty until known." example:"http://203.0.113.7"`
	DashboardURL string      `json:"dashboardUrl" doc:"The Dask dashboard, empty when it has no address of its own." example:"http://203.0.113.8"`
	Cluster      Cluster     `json:"cluster"`
	Workers      int         `json:"workers" doc:"Dask workers asked for (with some profiles: nodes)." example:"4"`
	Packages     []string    `json:"packages" nullable:"false" doc:"Extra Python packages, equal on every side."`
	CreatedAt    time.Time   `json:"createdAt"`
	ReadyAt      *time.Time  `json:"readyAt" doc:"When it was first ready."`
	ExpiresAt    *time.Time  `json:"expiresAt" doc:"When it is taken away; null until that is known."`
	LastActivity *time.Time  `json:"lastActivityAt" doc:"When somebody last used it, as far as is known."`
	Activity     Activity    `json:"activity"`
	Ending       *Ending     `json:"ending,omitempty" doc:"The end its owner was told of; absent while none is near."`
	EndedBecause string      `json:"endedBecause,omitempty" doc:"The limit that ended it: deadline, maximum, idle, unused, class, left or course; absent when a person did." example:"idle"`
	KeepUntil    *time.Time  `json:"keepUntil,omitempty" doc:"It counts as in use until then, because somebody asked for it."`
	Protected    *Protection `json:"protected,omitempty" doc:"Who keeps the reaper away; absent while nobody does."`
	Policy       []Limit     `json:"policy" nullable:"false" doc:"The limits that hold, and who set each."`
	Next         *Next       `json:"next,omitempty" doc:"What the reaper would do now; absent when it has ended."`
	Estimate     Estimate    `json:"estimate"`
	Cost         Cost        `json:"cost"`
	Failure      *Failure    `json:"failure,omitempty" doc:"Why the last attempt did not work."`
	Generation   int64       `json:"generation" doc:"Counts commands." example:"1"`
	Observed     int64       `json:"observedGeneration" doc:"The last command that was carried out." example:"0"`
	Workloads    *Workloads  `json:"workloads,omitempty" doc:"What runs there now; only with describe=true."`
}

// Cluster is the Kubernetes cluster an environment stands on; empty until
// it has one.
type Cluster struct {
	Name      string `json:"name" example:"daskbot-kq7wm2xd-1"`
	Location  string `json:"location" example:"us-central1-a"`
	Placement string `json:"placement" doc:"dedicated (a cluster of its own) or shared (a namespace of a course's)." example:"dedicated"`
	Nodes     int    `json:"nodes" doc:"As last seen." example:"2"`
}

// Estimate says when it will be ready, learnt from earlier runs.
type Estimate struct {
	ReadyAt *time.Time `json:"readyAt" doc:"Null when it is not being made."`
	Step    int        `json:"step" doc:"Step n of steps; 0 when it is not being made." example:"2"`
	Steps   int        `json:"steps" example:"7"`
}

// Cost is an estimate from list prices, never a bill.
type Cost struct {
	USDPerHour float64 `json:"usdPerHour" example:"0.2"`
	USDTotal   float64 `json:"usdTotal" example:"0.35"`
	PricesAsOf string  `json:"pricesAsOf" doc:"The date of the prices." example:"2026-07-30"`
}

// Failure is why something did not work.
type Failure struct {
	Code    string    `json:"code" example:"quota"`
	Message string    `json:"message" example:"The project has no quota left for 8 more CPUs in us-central1."`
	Phase   string    `json:"phase" example:"cluster"`
	At      time.Time `json:"at"`
	Detail  string    `json:"detail,omitempty" doc:"For staff and admins only."`
}

// Event is something that happened to an environment.
type Event struct {
	Seq         int64     `json:"seq" doc:"Rising; the id in the stream." example:"12"`
	At          time.Time `json:"at"`
	Environment string    `json:"environment" example:"kq7wm2xd"`
	Type        string    `json:"type" doc:"requested, phase, ready, changed, rolledback, retry, failed, extended, warned, kept, budget, stopping or deleted; more may be added." example:"phase"`
	State       string    `json:"state" example:"creating"`
	Phase       string    `json:"phase" example:"cluster"`
	Step        int       `json:"step" doc:"Step n of steps; 0 when that does not apply." example:"2"`
	Steps       int       `json:"steps" example:"7"`
	Message     string    `json:"message" example:"Making the Kubernetes cluster."`
	Actor       string    `json:"actor" doc:"Whose command it was; daskbot for its own." example:"daskbot"`
	Detail      string    `json:"detail,omitempty" doc:"For staff and admins only."`
}

func wireEnvironment(who environment.Caller, e environment.Environment, l environment.Look) Environment {
	out := Environment{
		ID: e.ID, Owner: e.Owner, Course: e.Course, Project: e.Project, Profile: e.Profile,
		State: string(e.State), Phase: string(e.Phase), Message: e.Message, URL: e.URL, DashboardURL: e.DashboardURL,
		Cluster: Cluster{Name: l.Cluster.Name, Location: l.Cluster.Location, Placement: string(e.Recipe.Placement), Nodes: l.Cluster.Nodes},
		Workers: e.Spec.Workers, Packages: append([]string{}, e.Spec.Packages...),
		CreatedAt: e.CreatedAt.UTC(), ReadyAt: instant(e.ReadyAt), ExpiresAt: instant(e.ExpiresAt), LastActivity: instant(e.LastActivityAt),
		Activity: wireActivity(l.Use), EndedBecause: string(e.EndedBecause), Estimate: Estimate{ReadyAt: instant(l.Estimate), Step: l.Step, Steps: l.Steps},
		Cost:       Cost{USDPerHour: rounded(l.Cost.USDPerHour), USDTotal: rounded(l.Cost.USDTotal), PricesAsOf: l.Cost.PricesAsOf},
		Generation: e.Generation, Observed: e.ObservedGeneration,
	}
	wireReaping(&out, e, l)
	if f := e.Failure; f != nil {
		out.Failure = &Failure{Code: string(f.Code), Message: f.Message, Phase: string(f.Phase), At: f.At.UTC(), Detail: forStaff(who, f.Detail)}
	}
	return out
}

func wireEvent(who environment.Caller, e environment.Event) Event {
	return Event{Seq: e.Seq, At: e.At.UTC(), Environment: e.Environment, Type: string(e.Type), State: string(e.State),
		Phase: string(e.Phase), Step: e.Step, Steps: e.Steps, Message: e.Message, Actor: e.Actor, Detail: forStaff(who, e.Detail)}
}

// forStaff hides what owners are not meant to read.
func forStaff(who environment.Caller, detail string) string {
	if who.Role == environment.RoleStaff || who.Role == environment.RoleAdmin {
		return detail
	}
	return ""
}

// rounded keeps an estimate from looking more exact than it is.
func rounded(usd float64) float64 { return math.Round(usd*1e4) / 1e4 }

// instant is null for a time that is not known.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
