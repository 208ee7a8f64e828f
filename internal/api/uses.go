package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Credentials are how the owner gets in.
type Credentials struct {
	URL      string `json:"url" example:"http://203.0.113.7"`
	Username string `json:"username" doc:"Empty where none is asked for." example:"alice"`
	Password string `json:"password" doc:"What the login page asks for." example:"bcdf-ghjk-mnpq-rstv"`
	Token    string `json:"token,omitempty" doc:"Set where the notebook takes a token instead."`
}

// Profile is a recipe that can be asked for.
type Profile struct {
	Name        string `json:"name" example:"daskhub"`
	Title       string `json:"title" example:"JupyterHub with Dask"`
	Description string `json:"description" example:"A hub of one's own, with a Dask cluster from the notebook."`
	Placement   string `json:"placement" doc:"dedicated or shared." example:"dedicated"`
	MachineType string `json:"machineType" example:"e2-standard-2"`
	Nodes       int    `json:"nodes" doc:"Nodes it starts with." example:"2"`
	MaxNodes    int    `json:"maxNodes" doc:"Nodes it may grow to." example:"10"`
	Workers     int    `json:"workers" doc:"Dask workers when none are asked for." example:"0"`
	MaxWorkers  int    `json:"maxWorkers" doc:"Dask workers at most." example:"20"`
	Packages    bool   `json:"packages" doc:"Whether extra packages can be asked for." example:"false"`
	TTL         string `json:"ttl" doc:"Lifetime when none is asked for; empty for the general one." example:"4h"`
	MaxTTL      string `json:"maxTtl" doc:"Longest lifetime; empty for the general one." example:"8h"`
}

// NoStore keeps an answer that holds a secret out of every cache.
type NoStore struct {
	CacheControl string `header:"Cache-Control" doc:"Always no-store." example:"no-store"`
}

var neverStored = NoStore{CacheControl: "no-store"}

type credentialsOutput struct {
	NoStore
	Body Credentials
}

type kubeconfigOutput struct {
	NoStore
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

type profilesOutput struct{ Body List[Profile] }

type logsInput struct {
	PathID
	Component string `query:"component" maxLength:"63" pattern:"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$" doc:"A release, Deployment or component, such as hub, scheduler or worker; left out, the front door." example:"scheduler"`
	Tail      int    `query:"tail" default:"200" minimum:"1" maximum:"10000" doc:"At most so many lines of each pod." example:"200"`
}

func (s *Server) uses() {
	text := &huma.Schema{Type: huma.TypeString}
	add(s, huma.Operation{OperationID: "credentials", Method: http.MethodGet, Path: "/environments/{id}/credentials", Tags: []string{"use"},
		Summary: "How the owner logs in", Description: "For the owner and admins only. Never cached, never logged.",
		Errors: []int{http.StatusConflict}}, s.credentials)
	add(s, huma.Operation{OperationID: "kubeconfig", Method: http.MethodGet, Path: "/environments/{id}/kubeconfig", Tags: []string{"use"},
		Summary: "A kubeconfig for the environment's namespace", Description: "For the owner and admins only. Never cached, never logged.",
		Errors: []int{http.StatusConflict}, Responses: map[string]*huma.Response{
			"200": s.answer("The kubeconfig.", "application/yaml", text)}}, s.kubeconfig)
	add(s, huma.Operation{OperationID: "logs", Method: http.MethodGet, Path: "/environments/{id}/logs", Tags: []string{"use"},
		Summary: "The last lines a component wrote", Description: "Plain text, as the pods wrote it.",
		Errors: []int{http.StatusConflict}, Responses: map[string]*huma.Response{
			"200": s.answer("The lines.", "text/plain", text)}}, s.logs)
	add(s, huma.Operation{OperationID: "profiles", Method: http.MethodGet, Path: "/profiles", Tags: []string{"environments"},
		Summary: "What can be asked for", Description: "The recipes, with their sizes and limits."}, s.profiles)
}

func (s *Server) credentials(ctx context.Context, c call[PathID]) (*credentialsOutput, error) {
	got, err := s.service.Credentials(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	return &credentialsOutput{NoStore: neverStored, Body: Credentials{URL: got.URL, Username: got.Username,
		Password: got.Password.Reveal(), Token: got.Token.Reveal()}}, nil
}

func (s *Server) kubeconfig(ctx context.Context, c call[PathID]) (*kubeconfigOutput, error) {
	got, err := s.service.Kubeconfig(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	return &kubeconfigOutput{NoStore: neverStored, ContentType: "application/yaml", Body: got}, nil
}

func (s *Server) logs(_ context.Context, c call[logsInput]) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		out := s.stream(ctx, "text/plain; charset=utf-8")
		err := s.service.Logs(ctx.Context(), c.who, c.in.ID, c.in.Component, c.in.Tail, out)
		switch {
		case err == nil:
			out.begin()
		case !out.begun:
			s.refuse(out.gin, s.failed(ctx.Context(), err))
		case ctx.Context().Err() == nil:
			// Half an answer must not look like a whole one.
			p := s.failed(ctx.Context(), err)
			_, _ = out.Write([]byte("\n[the log broke off: " + p.Detail + "]\n"))
		}
	}}, nil
}

func (s *Server) profiles(ctx context.Context, c call[struct{}]) (*profilesOutput, error) {
	got, err := s.service.Profiles(ctx, c.who)
	if err != nil {
		return nil, err
	}
	out := &profilesOutput{Body: List[Profile]{Items: []Profile{}}}
	for _, p := range got {
		w := Profile{Name: p.Name, Title: p.Title, Description: p.Description, Placement: string(p.Placement),
			MachineType: p.Cluster.MachineType, Nodes: p.Cluster.Nodes, MaxNodes: p.Cluster.MaxNodes,
			Workers: p.Workers.Default, MaxWorkers: p.Workers.Max, Packages: p.Packages}
		if p.Policy.TTL > 0 {
			w.TTL = environment.FormatDuration(p.Policy.TTL)
		}
		if p.Policy.MaxTTL > 0 {
			w.MaxTTL = environment.FormatDuration(p.Policy.MaxTTL)
		}
		out.Body.Items = append(out.Body.Items, w)
	}
	return out, nil
}
