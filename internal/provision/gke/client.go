package gke

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	container "cloud.google.com/go/container/apiv1"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/internal/environment"
)

// How long one call may take. They are far below the runner's own limits, so
// that a service that does not answer is seen as such, soon.
const (
	readTimeout   = 10 * time.Second
	changeTimeout = 30 * time.Second
)

// Config says which GKE to talk to, as whom, and what to put where a profile
// says nothing.
type Config struct {
	// Endpoint is host:port of the gRPC service; "" is Google's.
	Endpoint string
	// Insecure talks plaintext. It is for the sandbox on loopback only.
	Insecure bool
	// TokenSource authenticates calls to GKE and to the clusters; nil takes
	// Application Default Credentials.
	TokenSource oauth2.TokenSource
	// StaticToken is used instead of TokenSource when it is set.
	StaticToken environment.Secret
	// Installation is the value of the label that marks what is ours.
	Installation string
	// ServiceAccount is the e-mail daskbot acts as; the commands that grant it
	// access name it.
	ServiceAccount string
	Defaults       Defaults
	Log            *slog.Logger
}

// Defaults fill what a shape leaves empty or cannot say.
type Defaults struct {
	Channel  string // "regular" when empty
	DiskType string // "pd-standard" when empty
	// NodeServiceAccount is what nodes act as: in each project the account of
	// this name that is the project's own. "" is its default compute account.
	NodeServiceAccount string
	// Network and Subnetwork are the VPC; "" is "default".
	Network    string
	Subnetwork string
}

func (d Defaults) complete() Defaults {
	d.Channel = either(d.Channel, "regular")
	d.DiskType = either(d.DiskType, "pd-standard")
	return d
}

// Client implements environment.Clusters. It is safe for concurrent use.
type Client struct {
	api            *container.ClusterManagerClient
	tokens         oauth2.TokenSource
	installation   string
	serviceAccount string
	defaults       Defaults
	log            *slog.Logger
}

var _ environment.Clusters = (*Client)(nil)

// New connects lazily: a wrong endpoint or refused credentials show at the
// first call. It fails when no credentials can be found at all, or when the
// configuration cannot be used. The caller closes the Client.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Installation == "" || cfg.Installation != labelValue(cfg.Installation) {
		return nil, environment.Invalid("installation",
			"The installation id %q cannot mark what daskbot makes; use lower-case letters, digits, '-' and '_', such as %q.", cfg.Installation, "cs101")
	}
	tokens, err := tokenSource(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		tokens:         oauth2.ReuseTokenSource(nil, tokens),
		installation:   cfg.Installation,
		serviceAccount: cfg.ServiceAccount,
		defaults:       cfg.Defaults.complete(),
		log:            cfg.Log,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.api, err = container.NewClusterManagerClient(ctx, c.options(cfg)...)
	if err != nil {
		return nil, fmt.Errorf("connect to GKE: %w", err)
	}
	// The defaults retry reads until their context ends and then report the
	// deadline instead of the reason.
	c.api.CallOptions = &container.ClusterManagerCallOptions{}
	return c, nil
}

// Close ends the connections. Calls in flight fail.
func (c *Client) Close() error { return c.api.Close() }

// scopes are what GKE and the clusters' API servers ask for. With the second
// one Kubernetes sees the account's e-mail, which is what RBAC names.
var scopes = []string{
	"https://www.googleapis.com/auth/cloud-platform",
	"https://www.googleapis.com/auth/userinfo.email",
}

func tokenSource(ctx context.Context, cfg Config) (oauth2.TokenSource, error) {
	if !cfg.StaticToken.IsZero() {
		return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: cfg.StaticToken.Reveal()}), nil
	}
	if cfg.TokenSource != nil {
		return cfg.TokenSource, nil
	}
	tokens, err := google.DefaultTokenSource(ctx, scopes...)
	if err != nil {
		return nil, &environment.Error{Code: environment.CodeUnauthorized, Err: err,
			Message: "daskbot found no Google Cloud credentials; run it on GKE with Workload Identity, or run `gcloud auth application-default login`."}
	}
	return tokens, nil
}

func (c *Client) options(cfg Config) []option.ClientOption {
	opts := []option.ClientOption{option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(c.logCall))}
	if cfg.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(cfg.Endpoint))
	}
	if !cfg.Insecure {
		return append(opts, option.WithTokenSource(c.tokens))
	}
	return append(opts, option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithGRPCDialOption(grpc.WithPerRPCCredentials(plaintextToken{c.tokens})))
}

// plaintextToken sends the bearer token over a connection without TLS, which
// gRPC's own credentials refuse to do.
type plaintextToken struct{ tokens oauth2.TokenSource }

func (p plaintextToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	t, err := p.tokens.Token()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + t.AccessToken}, nil
}

func (plaintextToken) RequireTransportSecurity() bool { return false }

func (c *Client) logCall(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	start := time.Now()
	err := next(ctx, method, req, reply, cc, opts...)
	c.log.DebugContext(ctx, "gke call", "method", method, "code", status.Code(err).String(), "dur", time.Since(start))
	return err
}

func either(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
