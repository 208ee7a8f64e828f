package kube

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	fieldManager = "daskbot"
	userAgent    = "daskbot"
	// A client nobody used for this long belongs to a cluster that is gone: others
	// are looked at every few minutes. Each holds some 40 kB.
	idleClient = 10 * time.Minute
)

// Config is what a Client needs. Zero limits take the defaults.
type Config struct {
	Log *slog.Logger
	// Timeout bounds every single request; default 10 s.
	Timeout time.Duration
	// QPS and Burst bound requests to one cluster; default 50 and 100.
	QPS   float32
	Burst int
	// Wrap goes around the transport of every request save those that connect
	// to pods, as for tracing; nil for none.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client implements environment.Workloads for any number of clusters. It
// caches one set of API clients per Target.Key and is safe for concurrent use.
type Client struct {
	config Config

	mu    sync.Mutex
	links map[string]*link
}

var _ environment.Workloads = (*Client)(nil)

// link is the connection to one cluster.
type link struct {
	target  environment.Target // as first seen, to notice a replaced cluster
	config  *rest.Config
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	http    *http.Client
	used    time.Time
}

// New makes a Client. It contacts no cluster.
func New(config Config) *Client {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Timeout == 0 {
		config.Timeout = 10 * time.Second
	}
	if config.QPS == 0 {
		config.QPS = 50
	}
	if config.Burst == 0 {
		config.Burst = 100
	}
	return &Client{config: config, links: map[string]*link{}}
}

// link returns the connection for a target, made on first use and remade when
// the cluster behind the key was replaced.
func (c *Client) link(t environment.Target) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if l, ok := c.links[t.Key]; ok && t.Key != "" && same(l.target, t) {
		l.used = now
		return l, nil
	}
	l, err := c.dial(t)
	if err != nil {
		return nil, err
	}
	l.used = now
	for key, old := range c.links {
		if key == t.Key || now.Sub(old.used) > idleClient {
			old.http.CloseIdleConnections()
			delete(c.links, key)
		}
	}
	if t.Key != "" {
		c.links[t.Key] = l
	}
	return l, nil
}

func same(a, b environment.Target) bool {
	return a.Host == b.Host && a.InCluster == b.InCluster &&
		bytes.Equal(a.CA, b.CA) && bytes.Equal(a.Kubeconfig, b.Kubeconfig)
}

func (c *Client) dial(t environment.Target) (*link, error) {
	config, err := restConfig(t)
	if err != nil {
		return nil, unusable(err)
	}
	config.Timeout, config.QPS, config.Burst = c.config.Timeout, c.config.QPS, c.config.Burst
	config.UserAgent = userAgent
	config.WarningHandler = rest.NoWarnings{}
	traced := rest.CopyConfig(config)
	if c.config.Wrap != nil {
		traced.Wrap(c.config.Wrap)
	}
	httpClient, err := rest.HTTPClientFor(traced)
	if err != nil {
		return nil, unusable(err)
	}
	typed, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, unusable(err)
	}
	dyn, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, unusable(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(typed.Discovery()))
	return &link{target: t, config: config, typed: typed, dynamic: dyn, mapper: mapper, http: httpClient}, nil
}

func unusable(err error) error {
	return &environment.Error{Code: environment.CodeInvalid, Err: err,
		Message: "The way to reach this cluster is not usable; whoever runs daskbot must look at its kubeconfig."}
}

// restConfig turns a Target into client-go's terms.
func restConfig(t environment.Target) (*rest.Config, error) {
	switch {
	case t.InCluster:
		return rest.InClusterConfig()
	case len(t.Kubeconfig) > 0:
		return clientcmd.RESTConfigFromKubeConfig(t.Kubeconfig)
	}
	config := &rest.Config{Host: t.Host, TLSClientConfig: rest.TLSClientConfig{CAData: t.CA}}
	if t.Token != nil {
		config.WrapTransport = func(base http.RoundTripper) http.RoundTripper {
			return bearer{token: t.Token, base: base}
		}
	}
	return config, nil
}

// bearer asks for the token on every request, because one that was copied
// into the configuration would expire within the hour.
type bearer struct {
	token func(context.Context) (string, error)
	base  http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The token never reaches a log.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.token(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the RoundTripper contract; there is nobody to tell
		}
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.base.RoundTrip(r)
}

// WrappedRoundTripper lets client-go reach the transport it closes.
func (b bearer) WrappedRoundTripper() http.RoundTripper { return b.base }
