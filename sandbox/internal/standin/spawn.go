package standin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// singleuserValues is what the chart says of users' servers.
type singleuserValues struct {
	Image              struct{ Name, Tag string }
	ServiceAccountName string            `json:"serviceAccountName"`
	NodeSelector       map[string]string `json:"nodeSelector"`
	ExtraLabels        map[string]string `json:"extraLabels"`
	ExtraTolerations   []corev1.Toleration
	ExtraFiles         map[string]struct{ MountPath string }
	CPU, Memory        struct{ Limit, Guarantee any }
	Storage            struct {
		Type          string
		Capacity      any
		ExtraLabels   map[string]string
		HomeMountPath string
		Dynamic       struct {
			StorageClass       *string
			StorageAccessModes []corev1.PersistentVolumeAccessMode
		}
	}
}

// spawn starts a user's server, unless it runs or is starting, and returns
// what it then is. The error is the cluster's: nothing was started.
func (h *hub) spawn(v *visit, name string) (Server, error) {
	server, running := Server{}, false
	h.change(v, func(r *record) bool {
		user := r.touch(name, h.now().UTC())
		if running = user.Server.active(); running {
			server = *user.Server
		}
		return true
	})
	if running {
		return server, nil
	}
	pod, err := v.config.serverPod(h.service, name)
	if err != nil {
		return server, err
	}
	if err := h.createServer(v.Context(), v.config, name, pod); err != nil {
		return server, err
	}
	now := h.now().UTC()
	server = Server{Pending: "spawn", Started: &now, LastActivity: &now, Pod: pod.Name}
	h.edit(func(r *record) bool {
		user := r.touch(name, now)
		started := server
		user.Server = &started
		return true
	})
	return server, nil
}

// createServer makes the home of a user when there is none, and the pod.
// The home stays when the pod goes: only the user's deletion takes it away.
func (h *hub) createServer(ctx context.Context, config *hubConfig, name string, pod *corev1.Pod) error {
	namespace := h.service.Namespace
	if claim, err := config.homeClaim(namespace, name); err != nil {
		return err
	} else if claim != nil {
		_, err := h.client.CoreV1().PersistentVolumeClaims(namespace).Create(ctx, claim, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create claim %s: %w", claim.Name, err)
		}
	}
	_, err := h.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create pod %s: %w", pod.Name, err)
	}
	return nil
}

func (h *hub) deletePod(ctx context.Context, name string) error {
	err := h.client.CoreV1().Pods(h.service.Namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete pod %s: %w", name, err)
	}
	return nil
}

// serverPods finds the pods of this hub's servers by name.
func (h *hub) serverPods(ctx context.Context, config *hubConfig) (map[string]*corev1.Pod, error) {
	selector := config.labels("singleuser-server")
	list, err := h.client.CoreV1().Pods(h.service.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector:   labels.SelectorFromSet(selector).String(),
		ResourceVersion: "0",
	})
	if err != nil {
		return nil, fmt.Errorf("list servers' pods: %w", err)
	}
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		pods[list.Items[i].Name] = &list.Items[i]
	}
	return pods, nil
}

// labels are those by which the chart's parts know each other.
func (c *hubConfig) labels(component string) map[string]string {
	app := c.NameOverride
	if app == "" {
		app = "jupyterhub"
	}
	return map[string]string{"app": app, "component": component, "release": c.Release.Name}
}

// usernameAnnotation carries the name of whose server a pod is, as it is.
const usernameAnnotation = "hub.jupyter.org/username"

var plainName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,46}[a-z0-9])?$`)

// slug is a user's name as part of an object's: itself when it may be one,
// else made safe and told apart by a hash.
func slug(name string) string {
	if plainName.MatchString(name) && !strings.Contains(name, "--") {
		return name
	}
	safe := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(name, "-"), "-")
	sum := sha256.Sum256([]byte(name))
	return strings.Trim(safe[:min(len(safe), 30)], "-") + "---" + hex.EncodeToString(sum[:4])
}

// homeClaim is the claim for a user's home, or nil when the chart gives none.
func (c *hubConfig) homeClaim(namespace, name string) (*corev1.PersistentVolumeClaim, error) {
	storage := c.Singleuser.Storage
	if storage.Type != "dynamic" {
		return nil, nil
	}
	size, err := quantity(storage.Capacity)
	if err != nil {
		return nil, fmt.Errorf("read storage capacity: %w", err)
	}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: c.meta(namespace, "claim-"+slug(name), name, storage.ExtraLabels)}
	claim.Spec.AccessModes = storage.Dynamic.StorageAccessModes
	claim.Spec.StorageClassName = storage.Dynamic.StorageClass
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *size}
	return claim, nil
}

func (c *hubConfig) meta(namespace, object, user string, extra map[string]string) metav1.ObjectMeta {
	all := c.labels("singleuser-server")
	all["app.kubernetes.io/name"], all["app.kubernetes.io/instance"] = "jupyterhub", c.Release.Name
	all["app.kubernetes.io/component"], all["app.kubernetes.io/managed-by"] = "singleuser-server", "kubespawner"
	all["hub.jupyter.org/username"] = slug(user)
	for key, value := range extra {
		all[key] = value
	}
	return metav1.ObjectMeta{
		Namespace: namespace, Name: object, Labels: all,
		Annotations: map[string]string{usernameAnnotation: user},
	}
}

// serverPod is the pod of a user's server as the chart's values shape it.
func (c *hubConfig) serverPod(service *corev1.Service, name string) (*corev1.Pod, error) {
	one := c.Singleuser
	pod := &corev1.Pod{ObjectMeta: c.meta(service.Namespace, "jupyter-"+slug(name), name, one.ExtraLabels)}
	tag := one.Image.Tag
	if tag == "" {
		tag = c.Chart.Version
	}
	container := corev1.Container{
		Name:  "notebook",
		Image: one.Image.Name + ":" + tag,
		Env:   []corev1.EnvVar{{Name: "JUPYTERHUB_USER", Value: name}},
		Ports: []corev1.ContainerPort{{Name: "notebook-port", ContainerPort: 8888}},
	}
	if err := c.giveResources(&container); err != nil {
		return nil, err
	}
	pod.Spec.ServiceAccountName = one.ServiceAccountName
	pod.Spec.NodeSelector = one.NodeSelector
	pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	pod.Spec.Tolerations = append(append([]corev1.Toleration{}, c.Scheduling.UserPods.Tolerations...), one.ExtraTolerations...)
	prefix := c.FullnameOverride
	if prefix == "" {
		prefix = c.Release.Name
	}
	if c.Scheduling.UserScheduler.Enabled {
		pod.Spec.SchedulerName = prefix + "-user-scheduler"
	}
	if c.Scheduling.PodPriority.Enabled {
		pod.Spec.PriorityClassName = prefix + "-default-priority"
	}
	c.mount(pod, &container, service, name)
	pod.Spec.Containers = []corev1.Container{container}
	return pod, nil
}

// mount gives the pod its home and the chart's extra files.
func (c *hubConfig) mount(pod *corev1.Pod, container *corev1.Container, service *corev1.Service, name string) {
	if c.Singleuser.Storage.Type == "dynamic" {
		source := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim-" + slug(name)}}
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "home", VolumeSource: source})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "home", MountPath: c.Singleuser.Storage.HomeMountPath})
	}
	if len(c.Singleuser.ExtraFiles) == 0 {
		return
	}
	secret := strings.TrimSuffix(service.Name, "proxy-public") + "singleuser"
	source := corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "files", VolumeSource: source})
	for _, key := range sortedKeys(c.Singleuser.ExtraFiles) {
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: "files", MountPath: c.Singleuser.ExtraFiles[key].MountPath, SubPath: key})
	}
}

func (c *hubConfig) giveResources(container *corev1.Container) error {
	container.Resources = corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
	for _, given := range []struct {
		list  corev1.ResourceList
		name  corev1.ResourceName
		value any
	}{
		{container.Resources.Requests, corev1.ResourceCPU, c.Singleuser.CPU.Guarantee},
		{container.Resources.Limits, corev1.ResourceCPU, c.Singleuser.CPU.Limit},
		{container.Resources.Requests, corev1.ResourceMemory, c.Singleuser.Memory.Guarantee},
		{container.Resources.Limits, corev1.ResourceMemory, c.Singleuser.Memory.Limit},
	} {
		if given.value == nil {
			continue
		}
		amount, err := quantity(given.value)
		if err != nil {
			return fmt.Errorf("read %s of servers: %w", given.name, err)
		}
		given.list[given.name] = *amount
	}
	return nil
}

var spawnerUnit = regexp.MustCompile(`^[0-9.]+[KMGT]$`)

// quantity reads an amount as KubeSpawner does, whose 1G is 2^30 bytes.
func quantity(value any) (*resource.Quantity, error) {
	text := fmt.Sprint(value)
	if spawnerUnit.MatchString(text) {
		text += "i"
	}
	amount, err := resource.ParseQuantity(text)
	if err != nil {
		return nil, fmt.Errorf("amount %q: %w", text, err)
	}
	return &amount, nil
}
