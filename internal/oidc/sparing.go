package oidc

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// askAgain is how often the provider is asked for the same: the library asks
	// for its keys at every token that none of them has signed, and a stranger
	// can send as many of those as he likes. Providers publish a new key long
	// before they sign with it.
	askAgain = 10 * time.Second
	// longest bounds what is read of an answer.
	longest = 1 << 20
)

// sparing gives the last answer again while it is young, also when that was
// that nobody answers.
type sparing struct {
	next http.RoundTripper
	now  func() time.Time

	mu      sync.Mutex
	answers map[string]heard // by address: those of the description and of the keys
}

type heard struct {
	at     time.Time
	status int
	header http.Header
	body   []byte
	err    error
}

// RoundTrip implements http.RoundTripper.
func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	s.mu.Lock()
	last, known := s.answers[address]
	s.mu.Unlock()
	if !known || s.now().Sub(last.at) >= askAgain {
		last = s.ask(r)
		s.mu.Lock()
		if s.answers == nil {
			s.answers = map[string]heard{}
		}
		s.answers[address] = last
		s.mu.Unlock()
	}
	if last.err != nil {
		return nil, last.err
	}
	return &http.Response{Status: http.StatusText(last.status), StatusCode: last.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: last.header.Clone(), Body: io.NopCloser(bytes.NewReader(last.body)), ContentLength: int64(len(last.body)), Request: r}, nil
}

func (s *sparing) ask(r *http.Request) heard {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return heard{at: s.now(), err: err}
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	return heard{at: s.now(), status: resp.StatusCode, header: resp.Header, body: body, err: err}
}
