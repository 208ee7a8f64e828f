package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestTranslate(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	terminating := apierrors.NewForbidden(pods, "x", errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	tests := []struct {
		name      string
		err       error
		want      environment.Code
		ambiguous bool
		after     time.Duration
	}{
		{name: "not found", err: apierrors.NewNotFound(pods, "x"), want: environment.CodeNotFound},
		{name: "wrapped not found", err: fmt.Errorf("get: %w", apierrors.NewNotFound(pods, "x")), want: environment.CodeNotFound},
		{name: "exists", err: apierrors.NewAlreadyExists(pods, "x"), want: environment.CodeConflict},
		{name: "conflict", err: apierrors.NewConflict(pods, "x", errors.New("version")), want: environment.CodeConflict},
		{name: "quota", err: apierrors.NewForbidden(pods, "x", errors.New("exceeded quota: daskbot")), want: environment.CodeQuota},
		{name: "forbidden", err: apierrors.NewForbidden(pods, "x", errors.New("no")), want: environment.CodeForbidden},
		{name: "terminating", err: terminating, want: environment.CodeUnavailable},
		{name: "unauthorized", err: apierrors.NewUnauthorized("who"), want: environment.CodeUnavailable},
		{name: "bad request", err: apierrors.NewBadRequest("what"), want: environment.CodeInvalid},
		{name: "throttled", err: apierrors.NewTooManyRequests("slow down", 7), want: environment.CodeUnavailable, after: 7 * time.Second},
		{name: "server error", err: apierrors.NewInternalError(errors.New("webhook")), want: environment.CodeUnavailable},
		{name: "server timeout", err: apierrors.NewServerTimeout(pods, "get", 0), want: environment.CodeUnavailable, ambiguous: true},
		{name: "unknown kind", err: &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "DaskCluster"}}, want: environment.CodeUnavailable},
		{name: "deadline", err: fmt.Errorf("get: %w", context.DeadlineExceeded), want: environment.CodeUnavailable, ambiguous: true},
		{name: "refused", err: &url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, want: environment.CodeUnavailable},
		{name: "already ours", err: environment.Invalid("x", "No."), want: environment.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := translate("look at secret-name", tt.err)
			var e *environment.Error
			if !errors.As(got, &e) {
				t.Fatalf("got %T; want *environment.Error", got)
			}
			if e.Code != tt.want || e.Ambiguous != tt.ambiguous || e.RetryAfter != tt.after {
				t.Errorf("got %s ambiguous %v after %s; want %s %v %s", e.Code, e.Ambiguous, e.RetryAfter, tt.want, tt.ambiguous, tt.after)
			}
			if e.Message == "" || strings.Contains(e.Message, "secret-name") {
				t.Errorf("message %q is empty or shows internals", e.Message)
			}
		})
	}
	if translate("x", nil) != nil {
		t.Error("nil became an error")
	}
}
