package compute

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	api "google.golang.org/api/compute/v1"
	"google.golang.org/api/option"

	"github.com/daskbot/daskbot/internal/environment"
)

// callTimeout bounds one port call, which may be several requests; of a look for
// leftovers, which are many, each request.
const callTimeout = 20 * time.Second

// Config says which Compute Engine to talk to, and as whom.
type Config struct {
	// Endpoint is the base URL, with or without "compute/v1/"; "" is Google's.
	Endpoint string
	// TokenSource authenticates; nil takes Application Default Credentials.
	TokenSource oauth2.TokenSource
	// StaticToken is used instead of TokenSource when it is set.
	StaticToken environment.Secret
	// Installation is the value of the label that marks disks as ours.
	Installation string
}

// Client implements environment.Compute. It is safe for concurrent use.
type Client struct {
	service      *api.Service
	collections  map[key]collection
	installation string
}

var _ environment.Compute = (*Client)(nil)

// New makes a client; it connects at the first call. It fails when there are
// no credentials or no installation id.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Installation == "" {
		return nil, environment.Invalid("installation", "An installation id is needed to tell daskbot's disks from others, such as %q.", "cs101")
	}
	tokens, err := tokenSource(ctx, cfg)
	if err != nil {
		return nil, err
	}
	opts := []option.ClientOption{option.WithHTTPClient(&http.Client{
		Transport: &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, tokens)},
	})}
	if cfg.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(basePath(cfg.Endpoint)))
	}
	service, err := api.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to Compute Engine: %w", err)
	}
	return &Client{service: service, collections: collections(service), installation: cfg.Installation}, nil
}

func tokenSource(ctx context.Context, cfg Config) (oauth2.TokenSource, error) {
	if !cfg.StaticToken.IsZero() {
		return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: cfg.StaticToken.Reveal()}), nil
	}
	if cfg.TokenSource != nil {
		return cfg.TokenSource, nil
	}
	tokens, err := google.DefaultTokenSource(ctx, api.CloudPlatformScope)
	if err != nil {
		return nil, &environment.Error{Code: environment.CodeUnauthorized, Err: err,
			Message: "daskbot found no Google Cloud credentials; run it on GKE with Workload Identity, or run `gcloud auth application-default login`."}
	}
	return tokens, nil
}

const versionPath = "compute/v1/"

// basePath is the endpoint as the library wants it: ending in the version.
func basePath(endpoint string) string {
	base := strings.TrimSuffix(strings.TrimRight(endpoint, "/")+"/", versionPath)
	return base + versionPath
}
