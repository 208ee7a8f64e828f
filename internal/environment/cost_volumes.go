package environment

import (
	"context"
	"time"
)

// volumes is what the disks of volumes cost, by volumesKey, as of a time.
type volumes struct {
	at  time.Time
	usd map[string]float64
}

// volumesFor is how long it is believed. The sweep that finds out comes about
// once an hour.
const volumesFor = 10 * time.Minute

func volumesKey(project, cluster string) string { return project + "/" + cluster }

// volumesOf is what the disks of a cluster's volumes cost an hour, as the last
// sweep of the cloud found them: nothing else lists disks. Until there was one,
// or when it cannot be read, an estimate does without.
func (s *Service) volumesOf(ctx context.Context, c Cluster) float64 {
	if s.orphans.Leavings == nil || c.Given != "" || c.Name == "" {
		return 0
	}
	now := s.clock()
	known := s.disks.Load()
	if known == nil || now.Sub(known.at) >= volumesFor {
		found, _, err := s.lastOrphans(ctx)
		if err != nil {
			return 0
		}
		known = &volumes{now, found.Volumes}
		s.disks.Store(known)
	}
	return known.usd[volumesKey(c.Project, c.Name)]
}
