package helm

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daskbot/daskbot/internal/environment"
)

var zero = resource.MustParse("0")

func TestTranslate(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	tests := []struct {
		name string
		err  error
		want environment.Code
	}{
		{"quota", fmt.Errorf("1 error occurred: %w", apierrors.NewForbidden(pods, "x", errors.New("exceeded quota: q"))), environment.CodeQuota},
		{"quota as text", errors.New("1 error occurred: pods is forbidden: exceeded quota: q"), environment.CodeQuota},
		{"forbidden", apierrors.NewForbidden(pods, "x", errors.New("no")), environment.CodeForbidden},
		{"terminating", apierrors.NewForbidden(pods, "x", errors.New("namespace x is being terminated")), environment.CodeUnavailable},
		{"bad object", apierrors.NewBadRequest("what"), environment.CodeInvalid},
		{"exists", driver.ErrReleaseExists, environment.CodeConflict},
		{"locked", errors.New("another operation (install/upgrade/rollback) is in progress"), environment.CodeConflict},
		{"in the way", errors.New(`Service "x" exists and cannot be imported into the current release`), environment.CodeInvalid},
		{"kind", errors.New(`no matches for kind "DaskCluster" in version "kubernetes.dask.org/v1"`), environment.CodeUnavailable},
		{"hook", errors.New("failed pre-install: timed out waiting for the condition"), environment.CodeUnavailable},
		{"deadline", context.DeadlineExceeded, environment.CodeUnavailable},
		{"unreachable", errors.New("Kubernetes cluster unreachable: boom"), environment.CodeUnavailable},
		{"server", apierrors.NewInternalError(errors.New("boom")), environment.CodeUnavailable},
		{"anything", errors.New("boom"), environment.CodeInternal},
		{"ours", environment.Invalid("x", "No."), environment.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := translate("converge", tt.err)
			if environment.CodeOf(got) != tt.want || environment.MessageOf(got) == "" {
				t.Errorf("got %s %q; want %s", environment.CodeOf(got), environment.MessageOf(got), tt.want)
			}
		})
	}
}
