package gke

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestConformanceLife(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	cl := newCluster(t, c, s.Project)
	if seen, err := c.Observe(t.Context(), cl.Project, attempt(cl), ""); err != nil || seen.State != environment.CloudAbsent {
		t.Fatalf("before: got %+v, %v; want absent", seen, err)
	}
	create(t, c, cl)
	reach(t, c, cl)
	owned(t, c, cl)
	resize(t, c, cl)
	remove(t, c, cl)
}

func create(t *testing.T, c *Client, cl environment.Cluster) {
	t.Helper()
	ctx := t.Context()
	op, err := c.Create(ctx, cl)
	if err != nil || op == "" {
		t.Fatalf("create: got %q, %v; want an operation", op, err)
	}
	if again, err := c.Create(ctx, cl); err != nil || again != "" {
		t.Errorf("create again: got %q, %v; want nothing", again, err)
	}
	if seen, err := c.Observe(ctx, cl.Project, attempt(cl), op); err != nil || !seen.Mine || seen.ClusterID != cl.ID {
		t.Errorf("while made: got %+v, %v; want it ours", seen, err)
	}
	var e *environment.Error
	if _, err := c.Delete(ctx, cl.Project, attempt(cl)); !errors.As(err, &e) || e.Busy != op {
		t.Errorf("delete while made: got %v; want busy with %s", err, op)
	}
	seen := poll(ctx, t, c, cl, op, ended)
	if !seen.State.Usable() || seen.Operation != environment.OperationDone || seen.MaxNodes != 10 {
		t.Errorf("made: got %+v; want it usable, done and of at most 10 nodes", seen)
	}
	if seen.Progress.Total == 0 || seen.Progress.Done != seen.Progress.Total {
		t.Errorf("made: got %+v; want all of its parts", seen.Progress)
	}
}

func remove(t *testing.T, c *Client, cl environment.Cluster) {
	t.Helper()
	ctx := t.Context()
	op, err := c.Delete(ctx, cl.Project, attempt(cl))
	if err != nil || op == "" {
		t.Fatalf("delete: got %q, %v; want an operation", op, err)
	}
	if again, err := c.Delete(ctx, cl.Project, attempt(cl)); err != nil || again != "" {
		t.Errorf("delete again: got %q, %v; want nothing", again, err)
	}
	poll(ctx, t, c, cl, op, func(s environment.SeenCluster) bool { return s.State == environment.CloudAbsent })
	if again, err := c.Delete(ctx, cl.Project, attempt(cl)); err != nil || again != "" {
		t.Errorf("delete what is gone: got %q, %v; want nothing", again, err)
	}
	if _, err := c.Target(ctx, cl); environment.CodeOf(err) != environment.CodeNotFound {
		t.Errorf("reach what is gone: got %v; want not found", err)
	}
}

// reach asks the cluster's API server something only an authenticated caller
// is told.
func reach(t *testing.T, c *Client, cl environment.Cluster) {
	t.Helper()
	target, err := c.Target(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(target.CA)
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, Timeout: time.Minute}
	token, err := target.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.Host+"/api/v1/nodes", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := web.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("list nodes at %s: got %s; want 200", target.Host, answer.Status)
	}
	if again, err := c.Target(t.Context(), cl); err != nil || again.Key != target.Key {
		t.Errorf("got key %q, then %q, %v; want it stable", target.Key, again.Key, err)
	}
}

func owned(t *testing.T, c *Client, cl environment.Cluster) {
	t.Helper()
	items, complete, err := c.Owned(t.Context(), cl.Project)
	if err != nil || !complete {
		t.Fatalf("got complete %v, %v; want a complete list", complete, err)
	}
	for _, item := range items {
		if item.ClusterAttempt == attempt(cl) {
			if !item.DeleteAfter.Equal(cl.DeleteAfter) || !item.State.Usable() || item.Labels[environment.LabelEnvironment] != cl.Environment {
				t.Errorf("got %+v; want its labels, state and time", item)
			}
			return
		}
	}
	t.Errorf("got %+v; want %s among them", items, cl.Name)
}

func resize(t *testing.T, c *Client, cl environment.Cluster) {
	t.Helper()
	cl.MaxNodes = 4
	op, err := c.Resize(t.Context(), cl)
	if err != nil || op == "" {
		t.Fatalf("resize: got %q, %v; want an operation", op, err)
	}
	if seen := poll(t.Context(), t, c, cl, op, ended); seen.MaxNodes != 4 || seen.Failure != nil {
		t.Errorf("resized: got %+v; want at most 4 nodes", seen)
	}
}

func TestConformanceFixedPool(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	cl := newCluster(t, c, s.Project)
	cl.Shape.MinNodes, cl.Shape.MaxNodes, cl.Shape.Nodes, cl.MaxNodes = 1, 1, 1, 1
	op, err := c.Create(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	if seen := poll(t.Context(), t, c, cl, op, ended); seen.Nodes != 1 || seen.MaxNodes != 1 {
		t.Errorf("got %+v; want 1 node", seen)
	}
	cl.MaxNodes = 2
	if op, err = c.Resize(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	if seen := poll(t.Context(), t, c, cl, op, func(s environment.SeenCluster) bool { return ended(s) && s.Nodes == 2 }); seen.MaxNodes != 2 {
		t.Errorf("got %+v; want 2 nodes", seen)
	}
}

func TestConformanceFaultsOfACreate(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	failedCreate := func(s environment.SeenCluster) bool { return s.Failure != nil }
	t.Run("stockout", func(t *testing.T) {
		cl := newCluster(t, c, s.Project)
		s.fault(t, map[string]any{"kind": "stockout", "cluster": cl.Name})
		op, err := c.Create(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		if seen := poll(t.Context(), t, c, cl, op, failedCreate); !seen.Failure.Stockout {
			t.Errorf("got %+v; want a stockout", seen.Failure)
		}
	})
	t.Run("quota, found out late", func(t *testing.T) {
		cl := newCluster(t, c, s.Project)
		s.fault(t, map[string]any{"kind": "quota-late", "cluster": cl.Name, "value": "IN_USE_ADDRESSES"})
		op, err := c.Create(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		if seen := poll(t.Context(), t, c, cl, op, failedCreate); seen.Failure.Code != environment.CodeQuota || seen.Operation != environment.OperationFailed {
			t.Errorf("got %+v, %+v; want the operation failed for quota", seen, seen.Failure)
		}
	})
	t.Run("quota, at once", func(t *testing.T) {
		cl := newCluster(t, c, "tiny-project")
		cl.Shape.Nodes, cl.Shape.MachineType = 3, "e2-standard-8"
		if op, err := c.Create(t.Context(), cl); op != "" || environment.CodeOf(err) != environment.CodeQuota || !strings.Contains(environment.MessageOf(err), "CPUs") {
			t.Errorf("got %q, %v; want quota and what of", op, err)
		}
	})
	t.Run("reply lost", func(t *testing.T) {
		cl := newCluster(t, c, s.Project)
		s.fault(t, map[string]any{"kind": "lost-reply", "cluster": cl.Name, "times": 1})
		_, err := c.Create(t.Context(), cl)
		var e *environment.Error
		if !errors.As(err, &e) || !e.Ambiguous {
			t.Fatalf("got %v; want ambiguous", err)
		}
		seen, err := c.Observe(t.Context(), cl.Project, attempt(cl), "")
		if err != nil || !seen.Mine || seen.ClusterID != cl.ID || (seen.State == environment.CloudProvisioning && seen.Busy == "") {
			t.Errorf("got %+v, %v; want it found, ours and with the operation that makes it", seen, err)
		}
	})
}

func TestConformanceFaultsOfReads(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	cl := newCluster(t, c, s.Project)
	s.fault(t, map[string]any{"kind": "unavailable", "cluster": cl.Name, "times": 1})
	if seen, err := c.Observe(t.Context(), cl.Project, attempt(cl), ""); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("unavailable: got %+v, %v", seen, err)
	}
	s.fault(t, map[string]any{"kind": "rate-limit", "cluster": cl.Name, "times": 1})
	_, err := c.Observe(t.Context(), cl.Project, attempt(cl), "")
	var e *environment.Error
	if !errors.As(err, &e) || e.RetryAfter == 0 || !environment.Retryable(err) {
		t.Errorf("rate limit: got %+v; want to be asked to wait", err)
	}
	s.fault(t, map[string]any{"kind": "missing-zones", "project": "student-project-3", "times": 1})
	if _, complete, err := c.Owned(t.Context(), "student-project-3"); err != nil || complete {
		t.Errorf("missing zones: got complete %v, %v; want an incomplete list", complete, err)
	}
}

func TestConformanceAllowedAndCheck(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	for project, says := range map[string]string{s.Project: "", "forbidden-project": "--role=projects/forbidden-project/roles/daskbotClusters", "disabled-project": "gcloud services enable", "no-such-project": "gcloud"} {
		err := c.Allowed(t.Context(), project)
		if (says == "") != (err == nil) || (err != nil && (environment.CodeOf(err) != environment.CodeForbidden || !strings.Contains(environment.MessageOf(err), says))) {
			t.Errorf("%s: got %v; want …%q…", project, err, says)
		}
	}
	shape := aCluster().Shape
	if err := c.Check(t.Context(), s.Project, shape); err != nil {
		t.Errorf("a good shape: got %v", err)
	}
	shape.Version = "1.23"
	if err := c.Check(t.Context(), s.Project, shape); environment.CodeOf(err) != environment.CodeInvalid || !strings.Contains(environment.MessageOf(err), "The nearest that are: 1.") {
		t.Errorf("version 1.23: got %v; want what is on offer", err)
	}
	shape.Version, shape.Locations = "", []string{"mars-east1-a"}
	if err := c.Check(t.Context(), s.Project, shape); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("a location that is none: got %v; want invalid", err)
	}
}

func TestConformanceRegion(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	cl := newCluster(t, c, s.Project, func(cl *environment.Cluster) {
		cl.Location, cl.Shape.MinNodes, cl.Shape.MaxNodes, cl.Shape.Nodes, cl.MaxNodes = "europe-west1", 1, 5, 3, 5
	})
	op, err := c.Create(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	if seen := poll(t.Context(), t, c, cl, op, ended); seen.Nodes != 3 || seen.MaxNodes != 5 {
		t.Errorf("got %+v; want 3 nodes of at most 5 over all zones", seen)
	}
}

func TestConformanceFaultsOfADelete(t *testing.T) {
	s := startedSandbox(t)
	c := s.client(t)
	cl := newCluster(t, c, s.Project)
	op, err := c.Create(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	poll(t.Context(), t, c, cl, op, ended)
	t.Run("an upgrade came first", func(t *testing.T) {
		s.fault(t, map[string]any{"kind": "spontaneous-upgrade", "cluster": cl.Name, "times": 1})
		_, err := c.Delete(t.Context(), cl.Project, attempt(cl))
		var e *environment.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Busy, "operation-") {
			t.Fatalf("got %v; want busy with the upgrade", err)
		}
		if seen, err := c.Observe(t.Context(), cl.Project, attempt(cl), ""); err != nil || !seen.State.Usable() || (seen.State == environment.CloudReconciling && seen.Busy != e.Busy) {
			t.Errorf("got %+v, %v; want it usable and busy with %s", seen, err, e.Busy)
		}
		poll(t.Context(), t, c, cl, e.Busy, ended)
	})
	t.Run("it fails", func(t *testing.T) {
		s.fault(t, map[string]any{"kind": "delete-fails", "cluster": cl.Name, "times": 1})
		op, err := c.Delete(t.Context(), cl.Project, attempt(cl))
		if err != nil {
			t.Fatal(err)
		}
		seen := poll(t.Context(), t, c, cl, op, ended)
		if seen.State == environment.CloudAbsent || seen.Operation != environment.OperationFailed || !strings.Contains(seen.Failure.Message, "could not be deleted") {
			t.Errorf("got %+v, %+v; want it still there, and why", seen, seen.Failure)
		}
	})
	t.Run("the reply is lost", func(t *testing.T) {
		s.fault(t, map[string]any{"kind": "lost-reply", "method": "DeleteCluster", "cluster": cl.Name, "times": 1})
		_, err := c.Delete(t.Context(), cl.Project, attempt(cl))
		var e *environment.Error
		if !errors.As(err, &e) || !e.Ambiguous {
			t.Fatalf("got %v; want ambiguous", err)
		}
		poll(t.Context(), t, c, cl, "", func(s environment.SeenCluster) bool { return s.State == environment.CloudAbsent })
	})
}
