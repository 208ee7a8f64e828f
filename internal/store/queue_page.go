package store

import (
	"fmt"
	"net/http"

	"github.com/riverqueue/river"
	"riverqueue.com/riverui"
)

// QueuePage is River's web interface for this store's queue, whose addresses
// begin with prefix, such as "/admin/river". It shows and changes nothing:
// every method but GET and HEAD gets 405, since who cancels or deletes a job
// takes a row's wake-up away (ADR 14). It asks nobody who they are; that is
// for who serves it.
//
// Nothing runs in the background for it: what River would keep counted there it
// counts when somebody looks.
func (s *Store) QueuePage(prefix string) (http.Handler, error) {
	client, err := river.NewClient(s.back.shown, &river.Config{Logger: s.riverLog()})
	if err != nil {
		return nil, fmt.Errorf("river's page: %w", err)
	}
	page, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(client, nil), Logger: s.riverLog(), Prefix: prefix})
	if err != nil {
		return nil, fmt.Errorf("river's page: %w", err)
	}
	return readOnly(page), nil
}

// readOnly refuses what would change something, in the form in which River's
// page shows it.
func readOnly(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			page.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = w.Write([]byte(`{"message":"This page only shows. A job is a wake-up for an environment: daskbot status says what that waits for."}` + "\n")) // the client is gone: nobody to tell
	})
}
