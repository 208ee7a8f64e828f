package class

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/lms"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwAA"

// doors opens the ways in: the REST interface and the hooks. A connection would
// keep the bubble's clock from going on, so requests come without one.
func (s *school) doors(log *slog.Logger) error {
	server, err := api.New(api.Config{Service: s.service, Log: log, RosterLimit: 1 << 20,
		Bearer: func(context.Context, string) (environment.Caller, error) { return admin, nil }})
	if err != nil {
		return err
	}
	s.rest = server.Handler()
	s.hooks, err = lms.New(lms.Config{Commands: s.service, Inbox: s.store, Notes: s.store, Log: log,
		Sources: []lms.Source{{Name: "sis", Kind: lms.Generic, Secrets: []environment.Secret{environment.NewSecret(hookSecret)}}},
		Once:    func(caller, key string) lms.Commands { return s.service.Once(caller, key) }})
	return err
}

// RoundTrip hands a request of the client to the REST interface.
func (s *school) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	s.rest.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// daskbot runs a command of the client, with one file in reach, and returns
// what it printed.
func (s *school) daskbot(file string, args ...string) string {
	s.Helper()
	var out bytes.Buffer
	w := client.World{Out: &out, Err: &out, HTTP: &http.Client{Transport: s}, Now: time.Now, Zone: time.UTC, Width: func() int { return 0 },
		Getenv: func(name string) string { return map[string]string{"DASKBOT_TOKEN": "admin"}[name] },
		ReadFile: func(name string) ([]byte, error) {
			if !strings.HasSuffix(name, ".yaml") {
				return nil, fs.ErrNotExist
			}
			return []byte(file), nil
		}}
	root := &cobra.Command{Use: "daskbot", SilenceErrors: true, SilenceUsage: true}
	client.Add(root, w)
	if code := client.Execute(s.Context(), root, args, w); code != client.ExitDone {
		s.Fatalf("daskbot %q ended with %d: %s", args, code, &out)
	}
	return out.String()
}

// hook sends a message as Standard Webhooks sign it, and has it carried out.
func (s *school) hook(id, kind, data string) {
	s.Helper()
	body, at := fmt.Sprintf(`{"type":%q,"data":%s}`, kind, data), strconv.FormatInt(time.Now().Unix(), 10)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	if err != nil {
		s.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+at+"."+body) // a hash takes everything
	r := httptest.NewRequestWithContext(s.Context(), http.MethodPost, "/hooks/lms/sis", strings.NewReader(body))
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", at)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	rec := httptest.NewRecorder()
	s.hooks.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		s.Fatalf("the hook %s was answered %d %s", kind, rec.Code, rec.Body)
	}
	if _, err := s.hooks.Work(s.Context(), "sis"); err != nil {
		s.Fatal(err)
	}
}

// TestRostersOf100000 comes with far too many people through each door: each
// refuses them as a whole, soon, and the course stays as it is.
func TestRostersOf100000(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, environment.Dedicated)
		if _, err := s.service.ApplyCourse(t.Context(), admin, environment.Course{ID: "de", Members: []environment.Member{{Email: "ann@example.edu"}}}, 0, false); err != nil {
			t.Fatal(err)
		}
		const bomb = 100_000
		list := func(before, format, between, after string) string {
			var b strings.Builder
			b.WriteString(before)
			for i := range bomb {
				if i > 0 {
					b.WriteString(between)
				}
				fmt.Fprintf(&b, format, i)
			}
			return b.String() + after
		}
		for name, tt := range map[string]struct {
			kind, path, body string
			want             int
		}{
			"CSV that is short enough": {"text/csv", "/members", list("email\n", "%d@b.c", "\n", ""), http.StatusTooManyRequests},
			"CSV, the same address":    {"text/csv", "/members", "email\n" + strings.Repeat("a@b.c\n", bomb), http.StatusUnprocessableEntity},
			"CSV that is too large":    {"text/csv", "/members", list("email\n", "student-%d@example.edu", "\n", ""), http.StatusRequestEntityTooLarge},
			"JSON":                     {"application/json", "/members", list("[", `"%d@b.c"`, ",", "]"), http.StatusRequestEntityTooLarge},
			"JSON, nobody":             {"application/json", "/members", "[" + strings.Repeat("{},", bomb) + "{}]", http.StatusTooManyRequests},
			"a document":               {"application/json", "", list(`{"id":"de","members":[`, `"%d@b.c"`, ",", "]}"), http.StatusRequestEntityTooLarge},
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, api.Base+"/courses/de"+tt.path, strings.NewReader(tt.body))
			r.Header.Set("Authorization", "Bearer admin")
			r.Header.Set("Content-Type", tt.kind)
			rec := httptest.NewRecorder()
			s.rest.ServeHTTP(rec, r)
			if rec.Code != tt.want || rec.Body.Len() > 64<<10 {
				t.Errorf("%s: got %d and %d bytes, %.200s; want %d", name, rec.Code, rec.Body.Len(), rec.Body, tt.want)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/lms/sis", strings.NewReader(list(`{"type":"member.added","data":{"course":"de","members":[`, `{"id":%d}`, ",", "]}}")))
		rec := httptest.NewRecorder()
		s.hooks.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("a hook: got %d %s; want 413", rec.Code, rec.Body)
		}
		if c, err := s.service.CourseDocument(t.Context(), admin, "de"); err != nil || len(c.Members) != 1 {
			t.Errorf("%d members, %v; want the one before", len(c.Members), err)
		}
	})
}
