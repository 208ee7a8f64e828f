package helm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/provision/apiservertest"
)

var (
	server   *apiservertest.Server
	startErr error
)

func TestMain(m *testing.M) {
	server, startErr = apiservertest.Start(context.Background())
	code := m.Run()
	if server != nil {
		server.Stop()
	}
	os.Exit(code)
}

// stage is a namespace on the real API server, and a repository.
type stage struct {
	*Client
	target    environment.Target
	namespace string
	shelf     *shelf
	kube      kubernetes.Interface
}

func newStage(t *testing.T, prefix string) stage {
	t.Helper()
	if errors.Is(startErr, apiservertest.ErrMissing) {
		t.Skip(startErr)
	}
	if startErr != nil {
		t.Fatal(startErr)
	}
	target := environment.Target{Host: server.Host, CA: server.CA, Key: prefix,
		Token: func(context.Context) (string, error) { return server.Token, nil }}
	config, err := restConfig(target)
	if err != nil {
		t.Fatal(err)
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return stage{Client: New(Config{CacheDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}),
		target: target, namespace: ns.Name, shelf: newShelf(t), kube: kube}
}

func (s stage) converge(t *testing.T, r environment.Release, hash string) {
	t.Helper()
	if err := s.Converge(t.Context(), s.target, s.namespace, r, hash); err != nil {
		t.Fatal(err)
	}
}

func (s stage) seen(t *testing.T) environment.SeenRelease {
	t.Helper()
	seen, err := s.Observe(t.Context(), s.target, s.namespace, "rel")
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func (s stage) has(t *testing.T, configMap string) bool {
	t.Helper()
	_, err := s.kube.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), configMap, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// configure gives Helm itself, to set up what daskbot would never make.
func (s stage) configure(t *testing.T) *action.Configuration {
	t.Helper()
	config, err := s.configuration(s.target, s.namespace)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestLifeOfARelease(t *testing.T) {
	s := newStage(t, "life")
	if diff := cmp.Diff(environment.SeenRelease{Status: environment.ReleaseAbsent}, s.seen(t)); diff != "" {
		t.Errorf("before: -want +got\n%s", diff)
	}
	r := s.shelf.release("tiny")
	r.Version = "1.0.0"
	r.Conditions = map[string]string{"sub": "sub.enabled"}
	r.Values = map[string]any{"greeting": "one", "size": 5, "sub": map[string]any{"enabled": false}}
	s.converge(t, r, "hash1")
	want := environment.SeenRelease{Status: environment.ReleaseDeployed, Revision: 1, Chart: "tiny-1.0.0", Hash: "hash1"}
	if diff := cmp.Diff(want, s.seen(t)); diff != "" {
		t.Errorf("installed: -want +got\n%s", diff)
	}
	if !s.has(t, "rel-tiny") || s.has(t, "rel-sub") {
		t.Errorf("got tiny %v, sub %v; want the dependency switched off", s.has(t, "rel-tiny"), s.has(t, "rel-sub"))
	}
	s.converge(t, r, "hash1")
	if got := s.seen(t).Revision; got != 1 {
		t.Errorf("got revision %d after the same wish; want 1", got)
	}

	r.Version, r.Values = "1.2.0", map[string]any{"size": 6}
	s.converge(t, r, "hash2")
	want = environment.SeenRelease{Status: environment.ReleaseDeployed, Revision: 2, Chart: "tiny-1.2.0", Hash: "hash2"}
	if diff := cmp.Diff(want, s.seen(t)); diff != "" {
		t.Errorf("upgraded: -want +got\n%s", diff)
	}
	m, err := s.kube.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "rel-tiny", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"greeting": "hello", "size": "6"}, m.Data); diff != "" {
		t.Errorf("values of before were kept: -want +got\n%s", diff)
	}

	for range 2 { // absent is success
		if err := s.Uninstall(t.Context(), s.target, s.namespace, "rel"); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.seen(t).Status; got != environment.ReleaseAbsent || s.has(t, "rel-tiny") {
		t.Errorf("got %s; want nothing left", got)
	}
}

func TestPendingLeftByACrash(t *testing.T) {
	for _, status := range []release.Status{release.StatusPendingInstall, release.StatusPendingUpgrade, release.StatusUninstalling, release.StatusFailed} {
		t.Run(string(status), func(t *testing.T) {
			s := newStage(t, "crash-"+string(status))
			r := s.shelf.release("tiny")
			s.converge(t, r, "hash1")
			config := s.configure(t)
			last, err := config.Releases.Last("rel")
			if err != nil {
				t.Fatal(err)
			}
			last.SetStatus(status, "as a crash leaves it")
			if err := config.Releases.Update(last); err != nil {
				t.Fatal(err)
			}
			if got := s.seen(t).Status; got == environment.ReleaseDeployed {
				t.Fatalf("got %s; want anything else", got)
			}
			if err := s.kube.CoreV1().ConfigMaps(s.namespace).Delete(t.Context(), "rel-tiny", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			s.converge(t, r, "hash1")
			if got := s.seen(t); got.Status != environment.ReleaseDeployed || got.Hash != "hash1" || !s.has(t, "rel-tiny") {
				t.Errorf("got %+v, object %v; want it deployed and whole", got, s.has(t, "rel-tiny"))
			}
		})
	}
}

// TestAnotherReplicaAtWorkIsWaitedFor: its pass may have ended while Helm goes
// on there. Once it is dead, what it left is unlocked.
func TestAnotherReplicaAtWorkIsWaitedFor(t *testing.T) {
	s := newStage(t, "others")
	alive := true
	s.Client.config.Replica = "one"
	s.Client.config.Lives = func(_ context.Context, replica string) (bool, error) { return replica == "two" && alive, nil }
	r := s.shelf.release("tiny")
	s.converge(t, r, "hash1")
	config := s.configure(t)
	last, err := config.Releases.Last("rel")
	if err != nil {
		t.Fatal(err)
	}
	last.SetStatus(release.StatusPendingUpgrade, "at work")
	last.Labels[labelReplica] = "two"
	if err := config.Releases.Update(last); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.Converge(short, s.target, s.namespace, r, "hash2"); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want it to wait for the other replica", err)
	}
	shorter, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.Uninstall(shorter, s.target, s.namespace, "rel"); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("uninstall: got %v; want it to wait for the other replica", err)
	}
	s.settle(t.Context(), config, "rel") // as after an install that the other began first
	if got := s.seen(t).Status; got != environment.ReleasePending {
		t.Errorf("got %s; want it left to the other replica", got)
	}
	alive = false
	s.converge(t, r, "hash2")
	if got := s.seen(t); got.Status != environment.ReleaseDeployed || got.Hash != "hash2" {
		t.Errorf("got %+v; want it deployed after the other died", got)
	}
	if err := s.Uninstall(t.Context(), s.target, s.namespace, "rel"); err != nil || s.has(t, "rel-tiny") {
		t.Errorf("uninstall: got %v, object %v; want nothing left", err, s.has(t, "rel-tiny"))
	}
}

// TestWhatHelmCouldNotRecordIsNoWork: while the API server does not answer, Helm
// ends and its record goes on saying that it is at work. Another replica must not
// wait for that for as long as this one lives.
func TestWhatHelmCouldNotRecordIsNoWork(t *testing.T) {
	s := newStage(t, "unrecorded")
	everybody := func(context.Context, string) (bool, error) { return true, nil }
	var silent atomic.Bool
	target, token := s.target, s.target.Token
	target.Token = func(ctx context.Context) (string, error) {
		if silent.Load() {
			return "", errors.New("no answer")
		}
		return token(ctx)
	}
	done := make(chan struct{})
	one := New(Config{CacheDir: t.TempDir(), Replica: "one", Lives: everybody, HookTimeout: time.Second,
		Span: func(ctx context.Context, _ string, _ ...slog.Attr) (context.Context, func(error)) {
			return ctx, func(error) { close(done) }
		}})
	ended := make(chan error, 1)
	go func() { ended <- one.Converge(t.Context(), target, s.namespace, s.shelf.release("hooked"), "hash1") }()
	poll(t, func() error {
		if got := s.seen(t).Status; got != environment.ReleasePending {
			return fmt.Errorf("got %s; want pending", got)
		}
		return nil
	})
	silent.Store(true)
	<-done
	silent.Store(false)

	two := New(Config{CacheDir: t.TempDir(), Replica: "two", Lives: everybody})
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := two.Converge(within, s.target, s.namespace, s.shelf.release("tiny"), "hash2"); err != nil {
		t.Errorf("got %v; want the other replica to go on", err)
	}
	if err := <-ended; err == nil {
		t.Error("the replica whose hook did not end was told that it had")
	}
}

// A hook that never ends stands for an image that takes long to pull: there
// are no nodes here.
func TestUninstallCutsAnInstallationShort(t *testing.T) {
	s := newStage(t, "hooked")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Converge(ctx, s.target, s.namespace, s.shelf.release("hooked"), "hash1") }()
	poll(t, func() error {
		if got := s.seen(t).Status; got != environment.ReleasePending {
			return fmt.Errorf("got %s; want pending", got)
		}
		return nil
	})
	cancel()
	if err := <-ended; environment.CodeOf(err) != environment.CodeUnavailable {
		t.Fatalf("got %v; want CodeUnavailable while the hook runs", err)
	}
	again, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Converge(again, s.target, s.namespace, s.shelf.release("hooked"), "hash1"); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want to join what is at work", err)
	}
	began := time.Now()
	if err := s.Uninstall(t.Context(), s.target, s.namespace, "rel"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %s; want the hook ended, not waited for", took)
	}
	if got := s.seen(t).Status; got != environment.ReleaseAbsent || s.has(t, "after-the-hook") {
		t.Errorf("got %s, object %v; want nothing", got, s.has(t, "after-the-hook"))
	}
}

func TestFailuresAreTold(t *testing.T) {
	s := newStage(t, "failures")
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/configmaps": zero}}}
	if _, err := s.kube.CoreV1().ResourceQuotas(s.namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The quota counts from when its controller has looked at it.
	r := s.shelf.release("tiny")
	poll(t, func() error {
		q, err := s.kube.CoreV1().ResourceQuotas(s.namespace).Get(t.Context(), "none", metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) == 0 {
			err = errors.New("the quota is not in force")
		}
		return err
	})
	if err := s.Converge(t.Context(), s.target, s.namespace, r, "hash1"); environment.CodeOf(err) != environment.CodeQuota {
		t.Errorf("got %v; want CodeQuota", err)
	}
	if got := s.seen(t); got.Status != environment.ReleaseFailed || got.Message == "" {
		t.Errorf("got %+v; want it failed with Helm's words", got)
	}
	if err := s.kube.CoreV1().ResourceQuotas(s.namespace).Delete(t.Context(), "none", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error { return s.Converge(t.Context(), s.target, s.namespace, r, "hash1") })
	if got := s.seen(t); got.Status != environment.ReleaseDeployed || !s.has(t, "rel-tiny") {
		t.Errorf("got %+v; want it deployed once there is room", got)
	}
}

func TestSomethingInTheWay(t *testing.T) {
	s := newStage(t, "intheway")
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "rel-tiny"}}
	if _, err := s.kube.CoreV1().ConfigMaps(s.namespace).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err := s.Converge(t.Context(), s.target, s.namespace, s.shelf.release("tiny"), "hash1")
	if environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want CodeInvalid", err)
	}
}

func TestTenAtOnceMakeOneRevision(t *testing.T) {
	s := newStage(t, "ten")
	r := s.shelf.release("tiny")
	errs := make(chan error, 10)
	for range 10 {
		go func() { errs <- s.Converge(t.Context(), s.target, s.namespace, r, "hash1") }()
	}
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := s.seen(t).Revision; got != 1 {
		t.Errorf("got revision %d; want 1", got)
	}
}

func TestUnreachable(t *testing.T) {
	c := New(Config{CacheDir: t.TempDir()})
	target := environment.Target{Host: "https://127.0.0.1:1", Key: "none"}
	_, err := c.Observe(t.Context(), target, "ns", "rel")
	for what, err := range map[string]error{
		"observe":   err,
		"converge":  c.Converge(t.Context(), target, "ns", newShelf(t).release("tiny"), "h"),
		"uninstall": c.Uninstall(t.Context(), target, "ns", "rel"),
	} {
		if environment.CodeOf(err) != environment.CodeUnavailable {
			t.Errorf("%s: got %v; want CodeUnavailable", what, err)
		}
	}
}

func poll(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(fmt.Errorf("after a minute: %w", err))
		case <-tick.C:
		}
	}
}
