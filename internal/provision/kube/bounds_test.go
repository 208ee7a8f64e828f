package kube

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/daskbot/daskbot/internal/environment"
)

// An API server makes its own Service a moment after it is ready: until then
// there is only something to wait for.
func TestWaitsForTheServiceOfTheAPIServer(t *testing.T) {
	young := httptest.NewServer(http.NotFoundHandler())
	defer young.Close()
	typed, err := kubernetes.NewForConfig(&rest.Config{Host: young.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&link{typed: typed}).apiServer(t.Context()); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want %s", err, environment.CodeUnavailable)
	}
}
