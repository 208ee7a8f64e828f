package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	insertCluster = `INSERT INTO clusters (id, share_key, state, live, created_at, document, version)
		VALUES ($1, $3, $4, $5, $6, $7, $2 + 1)`
	updateCluster = `UPDATE clusters
		SET share_key = $3, state = $4, live = $5, created_at = $6, document = $7, version = version + 1
		WHERE id = $1 AND version = $2`

	selectCluster = `SELECT id, version, document FROM clusters `
)

func (s *Store) putCluster(ctx context.Context, tx *sql.Tx, c *environment.Cluster) error {
	if c == nil {
		return nil
	}
	document, err := encodeOver(ctx, tx, &s.own, *c, c.Version, `SELECT document FROM clusters WHERE id = $1`, c.ID)
	if err != nil {
		return fmt.Errorf("encode cluster %s: %w", c.ID, err)
	}
	err = put(ctx, tx, c.Version, insertCluster, updateCluster,
		c.ID, c.Version, c.Key, string(c.State), flag(live(*c)), micros(c.CreatedAt), document)
	if err != nil {
		return fmt.Errorf("write cluster %s: %w", c.ID, err)
	}
	return nil
}

// live reports whether a cluster is one that environments may be placed on
// now or soon: a second one with its key would be one too many.
func live(c environment.Cluster) bool {
	return c.Desired == environment.Present && c.State != environment.StateDeleted
}

// Cluster reads one by id.
func (s *Store) Cluster(ctx context.Context, id string) (environment.Cluster, error) {
	c, err := scanCluster(s.reads.QueryRowContext(ctx, selectCluster+"WHERE id = $1", id))
	if err != nil {
		return environment.Cluster{}, translate(fmt.Errorf("read cluster %s: %w", id, err))
	}
	return c, nil
}

// LiveCluster finds the wanted cluster with this key; there is at most one.
func (s *Store) LiveCluster(ctx context.Context, key string) (environment.Cluster, error) {
	const where = "WHERE live = 1 AND share_key = $1 AND share_key <> ''"
	c, err := scanCluster(s.reads.QueryRowContext(ctx, selectCluster+where, key))
	if err != nil {
		return environment.Cluster{}, translate(fmt.Errorf("read the cluster for %s: %w", key, err))
	}
	return c, nil
}

// Clusters lists those that are not confirmed gone, or all, oldest first.
func (s *Store) Clusters(ctx context.Context, all bool) ([]environment.Cluster, error) {
	const where = "WHERE $1 = 1 OR state <> 'deleted' ORDER BY created_at, id"
	rs, err := s.reads.QueryContext(ctx, selectCluster+where, flag(all))
	if err != nil {
		return nil, translate(fmt.Errorf("list clusters: %w", err))
	}
	items, err := collect(rs, scanCluster)
	return items, translate(err)
}

func scanCluster(r row) (environment.Cluster, error) {
	var (
		c        environment.Cluster
		id       string
		version  int64
		document string
	)
	if err := r.Scan(&id, &version, &document); err != nil {
		return c, err
	}
	if err := decode(document, &c); err != nil {
		return c, fmt.Errorf("decode cluster %s: %w", id, err)
	}
	c.Version = version
	return c, nil
}
