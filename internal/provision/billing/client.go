package billing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	api "google.golang.org/api/cloudbilling/v1"
	"google.golang.org/api/option"

	"github.com/daskbot/daskbot/internal/environment"
)

// listTimeout bounds reading the whole catalog: some ten pages of 5000.
const listTimeout = 2 * time.Minute

// The services whose prices are read. Their ids are the catalog's own and do
// not change; their display names do.
const (
	computeEngine    = "services/6F81-5844-456A"
	kubernetesEngine = "services/CCD8-9BF1-090E"
	networking       = "services/E505-1604-58F8"
)

// Config says which catalog to ask, and as whom.
type Config struct {
	// Endpoint is the base URL; "" is Google's.
	Endpoint string
	// StaticToken is used instead of Application Default Credentials when it
	// is set.
	StaticToken environment.Secret
	Log         *slog.Logger
}

// Client reads the catalog. It is safe for concurrent use.
type Client struct {
	service *api.APIService
	log     *slog.Logger
}

// New makes a client; it connects at the first call. It fails with
// CodeUnauthorized when there are no credentials.
func New(ctx context.Context, cfg Config) (*Client, error) {
	tokens, err := tokenSource(ctx, cfg)
	if err != nil {
		return nil, err
	}
	opts := []option.ClientOption{option.WithHTTPClient(&http.Client{
		Transport: &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, tokens)},
	})}
	if cfg.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(strings.TrimRight(cfg.Endpoint, "/")+"/"))
	}
	service, err := api.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to the Cloud Billing Catalog: %w", err)
	}
	return &Client{service: service, log: cfg.Log}, nil
}

func tokenSource(ctx context.Context, cfg Config) (oauth2.TokenSource, error) {
	if !cfg.StaticToken.IsZero() {
		return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: cfg.StaticToken.Reveal()}), nil
	}
	tokens, err := google.DefaultTokenSource(ctx, api.CloudPlatformScope)
	if err != nil {
		return nil, &environment.Error{Code: environment.CodeUnauthorized, Err: err,
			Message: "daskbot found no Google Cloud credentials to read prices with; run `gcloud auth application-default login`, or set pricing.refresh to false."}
	}
	return tokens, nil
}

// Prices is base with the list prices of a region, such as us-central1, where
// the catalog has believable ones; AsOf is the date from which the newest of
// them holds. The base is not changed. It does not add machine types that the
// base lacks. It fails with CodeUnavailable when the catalog cannot be read in
// full, and with CodeNotFound when it has nothing for the region; the caller
// then keeps what it had.
func (c *Client) Prices(ctx context.Context, region string, base environment.Prices) (environment.Prices, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	found := newRates(region)
	for _, service := range []string{computeEngine, kubernetesEngine, networking} {
		err := c.service.Services.Skus.List(service).CurrencyCode("USD").Pages(ctx, func(page *api.ListSkusResponse) error {
			for _, sku := range page.Skus {
				found.add(service, sku)
			}
			return nil
		})
		if err != nil {
			return base, &environment.Error{Code: environment.CodeUnavailable, Err: fmt.Errorf("list %s: %w", service, err),
				Message: "The Cloud Billing Catalog cannot be read at the moment; prices stay as they are."}
		}
	}
	if !found.regional {
		return base, environment.Errorf(environment.CodeNotFound, "The Cloud Billing Catalog has no prices for the region %q; prices stay as they are.", region)
	}
	return found.compose(base, c.log.With("region", region)), nil
}
