package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/oidc"
	"github.com/daskbot/daskbot/internal/telemetry"
)

// newTelemetry prepares traces as they are configured.
func newTelemetry(ctx context.Context, cfg *config.Config, log *slog.Logger) (*telemetry.Telemetry, error) {
	headers := map[string]string{}
	if !cfg.Server.Telemetry.Authorization.IsZero() {
		headers["Authorization"] = cfg.Server.Telemetry.Authorization.Reveal()
	}
	return telemetry.New(ctx, telemetry.Config{Endpoint: strings.TrimRight(cfg.Server.Telemetry.Endpoint, "/"), Headers: headers,
		Ratio: cfg.Server.Telemetry.Ratio, Version: version(), Log: log})
}

// requestDone is told of each request of the API at its end.
func requestDone(m *flowMetrics) func(context.Context, string, string, int, time.Duration) {
	return func(ctx context.Context, method, route string, status int, took time.Duration) {
		m.request(method, route, status, took)
		telemetry.Route(ctx, method, route)
	}
}

// bearer is whose tokens are taken besides daskbot's own; nil for nobody's.
func (d *daemon) bearer(cfg *config.Config) func(context.Context, string) (environment.Caller, error) {
	o := cfg.Auth.OIDC
	if o.Issuer == "" {
		return nil
	}
	verifier := oidc.New(oidc.Config{Issuer: o.Issuer, Audience: o.Audience, SubjectClaim: o.SubjectClaim,
		RolesClaim: o.RolesClaim, AdminRoles: o.AdminRoles, Caller: cfg.Caller})
	return func(ctx context.Context, token string) (environment.Caller, error) {
		who, err := verifier.Caller(ctx, token)
		if err != nil {
			return environment.Caller{}, err
		}
		return d.service.Teaches(ctx, who)
	}
}

// secured sets what every answer carries, before a handler that knows better
// says otherwise. Over TLS browsers are told to stay there.
func secured(externalURL string, next http.Handler) http.Handler {
	tls := strings.HasPrefix(externalURL, "https://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if tls {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// reseal encrypts stored secrets with the current key, so that an older one
// can be taken out of the configuration.
func (d *daemon) reseal(ctx context.Context) error {
	n, err := d.store.Reseal(ctx)
	if err != nil {
		return err
	}
	if n.Old > 0 {
		d.log.InfoContext(ctx, "stored secrets encrypted anew", "count", n.Old)
	}
	if n.Unreadable > 0 {
		d.log.WarnContext(ctx, "stored secrets cannot be read with the keys given; check store.key and store.oldKeys", "count", n.Unreadable)
	}
	return nil
}
