package kubernetes

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	eventrecord "k8s.io/client-go/tools/record"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/autoscaler"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/binder"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/kubelet"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/loadbalancer"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/operator"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/volume"
)

// client is how this process reaches the API server: past the proxy, so that
// scripted faults meet clients only.
func (c *cluster) client() *rest.Config {
	return &rest.Config{
		Host: fmt.Sprintf("https://%s:%d", c.apiIP(), apiserverPort), BearerToken: c.planes.cfg.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca},
		ContentConfig:   rest.ContentConfig{ContentType: runtime.ContentTypeProtobuf, AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON},
		QPS:             -1, UserAgent: "daskbot-sandbox",
	}
}

// dynamicClient reads custom resources, which speak JSON only.
func (c *cluster) dynamicClient() (dynamic.Interface, error) {
	config := c.client()
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	return dynamic.NewForConfig(config)
}

// awaitAPI returns when the API server says it is ready, or with ctx's error.
func (c *cluster) awaitAPI(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.client())
	if err != nil {
		return err
	}
	return await(ctx, func(ctx context.Context) bool {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
}

// playCloud starts what a cloud adds to a cluster.
func (c *cluster) playCloud(ctx context.Context, parts *parts) error {
	client, err := kubernetes.NewForConfig(c.client())
	if err != nil {
		return err
	}
	cfg, spec := c.planes.cfg, c.record.Spec
	shared := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(slim))
	events := eventrecord.NewBroadcaster(eventrecord.WithContext(ctx))
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	as := func(component string) eventrecord.EventRecorder {
		return events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component})
	}
	core := shared.Core().V1()
	c.pools = nodepool.New(nodepool.Config{
		Cluster: spec, Compute: cfg.Compute, Client: client, Pods: core.Pods().Lister(),
		State: c.record.Nodes, Save: c.saveNodes, Log: c.log, Machines: c.behindNodes(),
		Kubelet: netip.AddrPortFrom(netip.MustParseAddr(c.ip()), kubelet.Port),
	})
	c.volumes = volume.New(volume.Config{
		Cluster: spec, Compute: cfg.Compute, Client: client, Shared: shared, Recorder: as(volume.Driver), Log: c.log,
	})
	balancers := loadbalancer.New(loadbalancer.Config{
		Cluster: spec, Compute: cfg.Compute, Backends: cfg.Backends, Client: client,
		Services: core.Services(), Recorder: as("service-controller"), Log: c.log, Dial: c.dialPods(shared),
	})
	scaler := autoscaler.New(autoscaler.Config{
		Cluster: spec, Compute: cfg.Compute, Pools: c.pools, Shared: shared, Recorder: as("cluster-autoscaler"), Log: c.log,
	})
	play, err := c.playNodes(ctx, parts, client, shared, as("binder"))
	if err != nil {
		return err
	}
	shared.StartWithContext(ctx)
	parts.run(func() error { <-ctx.Done(); events.Shutdown(); shared.Shutdown(); return nil })
	if err := synced(ctx, shared); err != nil {
		return err
	}
	for _, run := range append(play, c.pools.Run, c.volumes.Run, balancers.Run, scaler.Run) {
		parts.run(func() error { run(ctx); return nil })
	}
	return nil
}

// playNodes begins to run the nodes, and prepares what plays them and their
// pods when they are not real; that is to be run with the shared informers.
func (c *cluster) playNodes(ctx context.Context, parts *parts, client kubernetes.Interface, shared informers.SharedInformerFactory, recorder eventrecord.EventRecorder) ([]func(context.Context), error) {
	if c.machines != nil {
		parts.run(func() error { return c.machines.Run(ctx) })
		return nil, nil
	}
	if err := kubelet.StartKWOK(ctx, c.client(), c.log); err != nil {
		return nil, err
	}
	if err := c.playKubelets(ctx, parts, client, shared); err != nil {
		return nil, err
	}
	custom, err := c.dynamicClient()
	if err != nil {
		return nil, err
	}
	pods := kubelet.NewPods(c.record.Spec, c.planes.cfg.Compute, client, shared.Core().V1().Pods(), c.log)
	binding := binder.New(client, shared, recorder, c.log)
	dask := operator.New(client, custom, shared, c.log)
	return []func(context.Context){pods.Run, binding.Run, dask.Run}, nil
}

// playKubelets answers where simulated nodes say that their kubelet is.
func (c *cluster) playKubelets(ctx context.Context, parts *parts, client kubernetes.Interface, shared informers.SharedInformerFactory) error {
	listener, err := c.listen(ctx, kubelet.Port)
	if err != nil {
		return fmt.Errorf("listen for kubelets: %w", err)
	}
	server := &kubelet.Server{
		ClusterID: c.record.Spec.ID, Backends: c.planes.cfg.Backends, Client: client,
		Pods: shared.Core().V1().Pods().Lister(), PKI: c.files.pki, Log: c.log,
	}
	parts.run(func() error { return server.Run(ctx, listener) })
	return nil
}

// synced waits for every informer's first list.
func synced(ctx context.Context, shared informers.SharedInformerFactory) error {
	for kind, ok := range shared.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return fmt.Errorf("watch %v: %w", kind, context.Cause(ctx))
		}
	}
	return nil
}

// slim drops what no controller reads.
func slim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

// populate makes a cluster's default objects. Nodes the cloud refuses end a
// new cluster and are only missed by an old one.
func (c *cluster) populate(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.client())
	if err != nil {
		return err
	}
	for _, class := range volume.Classes() {
		_, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create storage class %s: %w", class.Name, err)
		}
	}
	if c.machines != nil {
		if err := c.populateReal(ctx, client); err != nil {
			return err
		}
	}
	pools, restored := c.record.Nodes.Pools, len(c.record.Nodes.Nodes) > 0
	if pools == nil {
		pools = c.record.Spec.Pools
	}
	if err := c.pools.Set(ctx, pools); err != nil {
		if !restored || ctx.Err() != nil {
			return err
		}
		c.log.Warn("restored control plane lacks nodes", "error", err)
	}
	return awaitServiceAccount(ctx, client)
}

// awaitServiceAccount returns when pods can be created in the default
// namespace: a cluster that GKE calls running is past that point.
func awaitServiceAccount(ctx context.Context, client kubernetes.Interface) error {
	return await(ctx, func(ctx context.Context) bool {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}
