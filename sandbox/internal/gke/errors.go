package gke

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

var grpcCodes = map[cloud.Code]codes.Code{
	cloud.InvalidArgument:    codes.InvalidArgument,
	cloud.NotFound:           codes.NotFound,
	cloud.AlreadyExists:      codes.AlreadyExists,
	cloud.PermissionDenied:   codes.PermissionDenied,
	cloud.FailedPrecondition: codes.FailedPrecondition,
	cloud.InUse:              codes.FailedPrecondition,
	cloud.ResourceExhausted:  codes.ResourceExhausted,
	cloud.Stockout:           codes.ResourceExhausted,
	cloud.Unavailable:        codes.Unavailable,
	cloud.DeadlineExceeded:   codes.DeadlineExceeded,
	cloud.Internal:           codes.Internal,
}

// rpcError translates an error of the cloud to the wire. A quota that is too
// small before anything was started is PERMISSION_DENIED on GKE.
func rpcError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	var answer *cloud.Error
	var quota *cloud.QuotaError
	switch {
	case errors.As(err, &answer):
		return status.Error(grpcCodes[answer.Code], answer.Message)
	case errors.As(err, &quota):
		return status.Error(codes.PermissionDenied, quota.Preflight())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
