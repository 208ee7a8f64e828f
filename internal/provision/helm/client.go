package helm

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config is what a Client needs. Zero durations take the defaults.
type Config struct {
	// CacheDir keeps downloaded charts and repository indexes; it can be
	// deleted at any time. It must be writable.
	CacheDir string
	Log      *slog.Logger
	// IndexTTL is how long a repository index is taken for current; default 5 min.
	IndexTTL time.Duration
	// HookTimeout bounds each of a chart's hooks, such as the pulling of
	// images before a hub is installed; default 10 min.
	HookTimeout time.Duration
	// Replica names this process on what it is at work on, and Lives says whether
	// another one lives; nil when there are no others.
	Replica string
	Lives   func(ctx context.Context, replica string) (bool, error)
	// HTTP fetches from repositories and registries; nil for a client with a
	// timeout of two minutes.
	HTTP *http.Client
	// Span traces Helm's actions; nil traces nothing.
	Span environment.Span
}

// Client implements environment.Charts. It is safe for concurrent use.
type Client struct {
	config  Config
	fetches singleflight.Group

	mu      sync.Mutex
	indexes map[string]index
	turns   map[string]*turn
}

var _ environment.Charts = (*Client)(nil)

// New makes a Client. It contacts nothing.
func New(config Config) *Client {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.IndexTTL == 0 {
		config.IndexTTL = 5 * time.Minute
	}
	if config.HookTimeout == 0 {
		config.HookTimeout = 10 * time.Minute
	}
	if config.HTTP == nil {
		config.HTTP = &http.Client{Timeout: 2 * time.Minute}
	}
	if config.Span == nil {
		config.Span = environment.NoSpan
	}
	return &Client{config: config, indexes: map[string]index{}, turns: map[string]*turn{}}
}
