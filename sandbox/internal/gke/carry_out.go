package gke

import (
	"context"
	"errors"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// Types of operations, as GKE names them.
const (
	createCluster  = "CREATE_CLUSTER"
	deleteCluster  = "DELETE_CLUSTER"
	updateCluster  = "UPDATE_CLUSTER"
	upgradeMaster  = "UPGRADE_MASTER"
	createNodePool = "CREATE_NODE_POOL"
	deleteNodePool = "DELETE_NODE_POOL"
	setPoolSize    = "SET_NODE_POOL_SIZE"
)

// carryOut does what an operation stands for and ends it. When ctx ends first
// the operation stays unfinished; the next Run takes it up again. Every step
// is therefore idempotent.
func (s *Server) carryOut(ctx context.Context, op cloud.Operation) {
	log := s.log.With("operation", op.Name, "kind", op.Type, "cluster", op.Cluster)
	log.Info("operation begins")
	var err error
	switch op.Type {
	case createCluster:
		err = s.carryOutCreate(ctx, op)
	case deleteCluster:
		err = s.carryOutDelete(ctx, op)
	case createNodePool, deleteNodePool, setPoolSize:
		err = s.carryOutPools(ctx, op)
	default:
		err = s.carryOutUpdate(ctx, op)
	}
	switch {
	case ctx.Err() != nil:
		log.Info("operation interrupted")
	case err != nil:
		log.Error("operation could not be recorded", "reason", err)
	default:
		log.Info("operation ends")
	}
}

func (s *Server) carryOutCreate(ctx context.Context, op cloud.Operation) error {
	failure := op.Doom
	var endpoint cloud.Endpoint
	if failure == nil {
		c, err := s.world.ClusterByID(op.ClusterID)
		if err != nil {
			return err
		}
		if endpoint, err = s.planes.Start(ctx, c.Spec); err != nil {
			failure = failureOf(err)
		}
	}
	if err := wait(ctx, op.Due); err != nil {
		return err
	}
	return s.world.Finish(op.Name, failure, func(c *cloud.Cluster) {
		if failure != nil {
			c.Status, c.StatusMessage, c.Condition = cloud.Errored, failure.Message, failure.Condition
			return
		}
		c.Status, c.Endpoint, c.CACertificate = cloud.Running, endpoint.Address, endpoint.CACertificate
	})
}

func (s *Server) carryOutDelete(ctx context.Context, op cloud.Operation) error {
	if op.Doom != nil {
		if err := wait(ctx, op.Due); err != nil {
			return err
		}
		return s.world.Finish(op.Name, op.Doom, func(c *cloud.Cluster) {
			c.Status, c.StatusMessage = cloud.Errored, op.Doom.Message
		})
	}
	s.persist(ctx, "stop control plane", op.ClusterID, func() error { return s.planes.Stop(ctx, op.ClusterID) })
	if err := wait(ctx, op.Due); err != nil {
		return err
	}
	return s.world.FinishDeletion(op.Name)
}

// carryOutPools makes the cluster's nodes those of its pools. A pool that
// could not be created is kept in ERROR, as GKE does.
func (s *Server) carryOutPools(ctx context.Context, op cloud.Operation) error {
	failure := op.Doom
	if failure == nil {
		c, err := s.world.ClusterByID(op.ClusterID)
		if err != nil {
			return err
		}
		if err := s.planes.SetNodePools(ctx, op.ClusterID, s.world.PoolsNow(c, op.Pool)); err != nil {
			failure = failureOf(err)
		}
	}
	if err := wait(ctx, op.Due); err != nil {
		return err
	}
	return s.world.Finish(op.Name, failure, func(c *cloud.Cluster) { c.Status = cloud.Running })
}

func (s *Server) carryOutUpdate(ctx context.Context, op cloud.Operation) error {
	if c, err := s.world.ClusterByID(op.ClusterID); err == nil && op.Pool != "" {
		if err := s.planes.SetNodePools(ctx, op.ClusterID, s.world.PoolsNow(c, "")); err != nil {
			op.Doom = failureOf(err)
		}
	}
	if err := wait(ctx, op.Due); err != nil {
		return err
	}
	return s.world.Finish(op.Name, op.Doom, func(c *cloud.Cluster) { c.Status = cloud.Running })
}

// failureOf is how an operation reports that its work failed.
func failureOf(err error) *cloud.OperationError {
	failure := &cloud.OperationError{Code: cloud.CodeOf(err), Message: err.Error()}
	var quota *cloud.QuotaError
	var answer *cloud.Error
	switch {
	case errors.As(err, &quota):
		failure.Condition, failure.Message = "GCE_QUOTA_EXCEEDED", "[GCE_QUOTA_EXCEEDED]: "+quota.Error()
	case errors.As(err, &answer) && answer.Code == cloud.Stockout:
		failure.Code, failure.Condition, failure.Message = cloud.ResourceExhausted, "GCE_STOCKOUT", answer.Message
	}
	return failure
}
