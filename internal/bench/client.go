package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// client keeps enough connections that a request never waits for another's.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}}

// environment is what the bench reads of one.
type environment struct {
	ID, State, Message string
	Project            string
	Cluster            struct{ Name string }
}

// send makes one JSON request and decodes the answer into into, unless that is
// nil. An answer of 400 or more is an error.
func send(ctx context.Context, method, address, token string, body, into any) error {
	resp, err := open(ctx, method, address, token, body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return answer{resp.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, address, resp.Status, text)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// answer is one that says no.
type answer struct {
	status int
	text   string
}

// Error is what was asked and what was answered.
func (a answer) Error() string { return a.text }

func open(ctx context.Context, method, address, token string, body any, accept string) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return client.Do(req)
}

// awaitReady follows the environment's events and returns when the one that
// says it is ready arrived.
func (s *stage) awaitReady(ctx context.Context, id string) (time.Time, error) {
	resp, err := open(ctx, http.MethodGet, s.daemonURL+"/api/v1/environments/"+id+"/events", s.token, nil, "text/event-stream")
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var event struct{ Type, Phase, Message string }
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return time.Time{}, fmt.Errorf("event: %w", err)
		}
		s.tell("%s %s %s", event.Type, event.Phase, event.Message)
		switch event.Type {
		case "ready":
			return time.Now(), nil
		case "failed":
			return time.Time{}, errors.New("the environment failed: " + event.Message)
		}
	}
	return time.Time{}, errors.Join(errors.New("the stream of events ended"), lines.Err())
}

// tell prints what -v asks for.
func (s *stage) tell(format string, args ...any) {
	if s.verbose {
		fmt.Printf("  %s "+format+"\n", append([]any{time.Now().Format("15:04:05.000")}, args...)...)
	}
}
