package helm

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/daskbot/daskbot/internal/environment"
)

// Helm's hooks are waited for by watches, which this cuts; they resume. It is
// there so that a connection that went silent does not hold an action forever.
const requestTimeout = time.Minute

// access gives Helm one cluster and namespace. It caches what the API server
// serves in memory only: Helm's own cache is on disk by address, and addresses
// of clusters are used again.
type access struct {
	config    *rest.Config
	namespace string
	discovery discovery.CachedDiscoveryInterface
}

func newAccess(t environment.Target, namespace string) (*access, error) {
	config, err := restConfig(t)
	if err != nil {
		return nil, unusable(err)
	}
	config.Timeout, config.QPS, config.Burst = requestTimeout, 50, 100
	config.UserAgent = "daskbot"
	config.WarningHandler = rest.NoWarnings{}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, unusable(err)
	}
	return &access{config: config, namespace: namespace, discovery: memory.NewMemCacheClient(client)}, nil
}

// ToRESTConfig implements Helm's RESTClientGetter, like the three below.
func (a *access) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(a.config), nil }

// ToDiscoveryClient gives the cached client.
func (a *access) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return a.discovery, nil
}

// ToRESTMapper looks kinds up, with short names.
func (a *access) ToRESTMapper() (meta.RESTMapper, error) {
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(a.discovery)
	return restmapper.NewShortcutExpander(mapper, a.discovery, nil), nil
}

// ToRawKubeConfigLoader is where Helm reads the namespace from.
func (a *access) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: a.namespace}}
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}

// configuration is the one place where Helm's actions get their bearings.
func (c *Client) configuration(t environment.Target, namespace string) (*action.Configuration, error) {
	a, err := newAccess(t, namespace)
	if err != nil {
		return nil, err
	}
	log := c.config.Log.With("cluster", t.Key, "namespace", namespace)
	var config action.Configuration
	err = config.Init(a, namespace, "secret", func(format string, args ...any) {
		log.Debug("helm says", "text", fmt.Sprintf(format, args...))
	})
	if err != nil {
		return nil, unusable(err)
	}
	return &config, nil
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
