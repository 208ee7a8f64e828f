package kube

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/daskbot/daskbot/internal/environment"
)

// survey is everything Observe reads, so that what it concludes is a pure
// function of it.
type survey struct {
	namespace    *corev1.Namespace // nil when absent
	deployments  []appsv1.Deployment
	statefulSets []appsv1.StatefulSet
	pods         []corev1.Pod
	services     []corev1.Service
	nodes        []corev1.Node
	warnings     []corev1.Event
}

// Observe says how far the plan's workloads are, in one round of parallel
// reads. It changes nothing. An error means unknown, never absent.
func (c *Client) Observe(ctx context.Context, t environment.Target, p environment.Plan) (environment.SeenWorkloads, error) {
	l, err := c.link(t)
	if err != nil {
		return environment.SeenWorkloads{}, err
	}
	s, err := look(ctx, l.typed, p)
	if err != nil {
		return environment.SeenWorkloads{}, translate("observe "+p.Namespace, err)
	}
	return conclude(s, p, time.Now())
}

// look reads the survey. DaemonSets are left out: they prepare nodes and grow
// with them, so nobody waits for them.
func look(ctx context.Context, api kubernetes.Interface, p environment.Plan) (survey, error) {
	namespaces := append([]string{p.Namespace}, otherNamespaces(p)...)
	parts := make([]survey, len(namespaces))
	var s survey
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		ns, err := api.CoreV1().Namespaces().Get(ctx, p.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		s.namespace = ns
		return err
	})
	group.Go(func() error {
		list, err := api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err == nil {
			s.nodes = list.Items
		}
		return err
	})
	for i, name := range namespaces {
		group.Go(func() error { return lookInto(ctx, api, name, &parts[i]) })
	}
	if err := group.Wait(); err != nil {
		return survey{}, err
	}
	for _, part := range parts {
		s.deployments = append(s.deployments, part.deployments...)
		s.statefulSets = append(s.statefulSets, part.statefulSets...)
		s.pods = append(s.pods, part.pods...)
		s.services = append(s.services, part.services...)
		s.warnings = append(s.warnings, part.warnings...)
	}
	return s, nil
}

// lookInto reads one namespace. Warnings are read for what controllers say
// only there, namely that a quota keeps them from making pods.
func lookInto(ctx context.Context, api kubernetes.Interface, namespace string, s *survey) error {
	all := metav1.ListOptions{}
	deployments, err1 := api.AppsV1().Deployments(namespace).List(ctx, all)
	statefulSets, err2 := api.AppsV1().StatefulSets(namespace).List(ctx, all)
	pods, err3 := api.CoreV1().Pods(namespace).List(ctx, all)
	services, err4 := api.CoreV1().Services(namespace).List(ctx, all)
	warnings, err5 := api.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "type=Warning,reason=FailedCreate", Limit: 200})
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	s.deployments, s.statefulSets, s.pods = deployments.Items, statefulSets.Items, pods.Items
	s.services, s.warnings = services.Items, warnings.Items
	return nil
}

// conclude turns a survey into an observation. The error is CodeInvalid for a
// worker selector that cannot be parsed.
func conclude(s survey, p environment.Plan, now time.Time) (environment.SeenWorkloads, error) {
	isWorker, err := workerSelector(p)
	if err != nil {
		return environment.SeenWorkloads{}, err
	}
	seen := environment.SeenWorkloads{Nodes: nodes(s.nodes), Pods: pods(s.pods, p), Services: services(s.services, p)}
	if s.namespace != nil {
		seen.Terminating = s.namespace.DeletionTimestamp != nil
		seen.Prepared = !seen.Terminating && isOurs(s.namespace.Labels, p) &&
			s.namespace.Annotations[annotationPrepared] == fingerprint(p)
	}
	full := atCeiling(s.nodes, p.Ceiling)
	parts := controllers(s, p, isWorker)
	for _, c := range parts {
		seen.Ready += c.ready
		seen.Wanted += c.wanted
	}
	seen.Waiting = waiting(parts, s.pods)
	seen.Broken = broken(parts, s, full, p.Ceiling, now)
	seen.Workers = workers(s, p, isWorker, full)
	seen.Address = address(s.services, p.Namespace, p.Access.Service, p.Access.Port)
	seen.DashboardAddress = address(s.services, p.Namespace, p.Access.DashboardService, p.Access.DashboardPort)
	return seen, nil
}

func nodes(list []corev1.Node) []environment.SeenNode {
	var out []environment.SeenNode
	for _, n := range list {
		out = append(out, environment.SeenNode{
			Name: n.Name, MachineType: n.Labels[corev1.LabelInstanceTypeStable], Ready: nodeReady(n)})
	}
	slices.SortFunc(out, func(a, b environment.SeenNode) int { return compare(a.Name, b.Name) })
	return out
}

func nodeReady(n corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// atCeiling reports whether the cluster has grown as far as it may and all its
// nodes are at work: what does not fit now will not fit later.
func atCeiling(list []corev1.Node, ceiling int) bool {
	ready := 0
	for _, n := range list {
		if nodeReady(n) {
			ready++
		}
	}
	return ceiling > 0 && ready >= ceiling && ready == len(list)
}
