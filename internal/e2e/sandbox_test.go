package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// sandbox is the emulated cloud that all stories share.
type sandbox struct {
	*process
	url       string
	endpoints struct {
		GKE, GKERest, Compute, Charts, Token, Project string
	}
}

// cluster is one that the sandbox runs.
type cluster struct {
	Name, Project, Location, Status, Endpoint string
	Labels                                    map[string]string
	CACertificate                             []byte
}

// resource is something that the sandbox holds for a project.
type resource struct {
	Kind, Project, Location, Name, Cluster string
}

func startSandbox(ctx context.Context, dir string) (*sandbox, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := start(filepath.Join(dir, "sandbox.log"), os.Environ(), program("daskbot-sandbox"), "serve",
		"--addr", addr, "--state", filepath.Join(dir, "state"), "--latencies", "fast", "--slack-patience", "1m")
	if err != nil {
		return nil, err
	}
	s := &sandbox{process: p, url: "http://" + addr}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = until(ctx, "wait for the sandbox", func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("the sandbox: %w: %s", errEnded, p.lastWords(60))
		}
		return s.ask(ctx, http.MethodGet, "/endpoints", nil, &s.endpoints) == nil, nil
	})
	if err != nil {
		_ = s.stop()
		return nil, err
	}
	return s, nil
}

// stop ends the sandbox and with it everything it runs.
func (s *sandbox) stop() error { return s.end(syscall.SIGTERM, patience) }

// ask sends one request of the control API and decodes the answer.
func (s *sandbox) ask(ctx context.Context, method, path string, body, into any) error {
	return askJSON(ctx, method, s.url+path, body, into)
}

// patient gives up on an answer that never comes.
var patient = &http.Client{Timeout: patience}

// askJSON sends a request and decodes the answer, which must be a success.
func askJSON(ctx context.Context, method, address string, body, into any, headers ...string) error {
	var reader io.Reader
	if raw, ok := body.(json.RawMessage); ok {
		reader = bytes.NewReader(raw)
	} else if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := patient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, address, resp.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// addFault scripts a fault for one project.
func (s *sandbox) addFault(ctx context.Context, project string, fault map[string]any) error {
	if _, named := fault["project"]; !named {
		fault["project"] = project
	}
	return s.ask(ctx, http.MethodPost, "/faults", fault, nil)
}

// forgetFaults deletes the faults of one project and leaves those of others.
func (s *sandbox) forgetFaults(ctx context.Context, project string) error {
	var all []struct{ ID, Project string }
	if err := s.ask(ctx, http.MethodGet, "/faults", nil, &all); err != nil {
		return err
	}
	for _, f := range all {
		if f.Project != project {
			continue
		}
		_ = s.ask(ctx, http.MethodDelete, "/faults/"+f.ID, nil, nil) // it may have been used up meanwhile
	}
	return nil
}

// resources lists what a project would still pay for, and leftovers that cost
// nothing.
func (s *sandbox) resources(ctx context.Context, project string) ([]resource, error) {
	var all []resource
	err := s.ask(ctx, http.MethodGet, "/resources?project="+url.QueryEscape(project), nil, &all)
	return all, err
}

// clusters lists the clusters of a project.
func (s *sandbox) clusters(ctx context.Context, project string) ([]cluster, error) {
	var all, mine []cluster
	if err := s.ask(ctx, http.MethodGet, "/clusters", nil, &all); err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Project == project {
			mine = append(mine, c)
		}
	}
	return mine, nil
}
