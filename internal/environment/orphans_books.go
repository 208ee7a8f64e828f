package environment

import (
	"slices"
	"time"
)

// books is what the store says, by what is asked of it.
type books struct {
	rows  map[string]Cluster // by id
	names map[string]Cluster // by every name that a row still holds
	alive map[string]bool    // names that a row still looks after
	envs  map[string]Environment
	// recorded says which environment wrote a resource down before its end.
	recorded map[Resource]Environment
}

func newBooks(c Census) books {
	b := books{rows: map[string]Cluster{}, names: map[string]Cluster{}, alive: map[string]bool{},
		envs: map[string]Environment{}, recorded: map[Resource]Environment{}}
	for _, row := range c.Clusters {
		b.rows[row.ID] = row
		for _, at := range append([]ClusterAttempt{row.At()}, row.Abandoned...) {
			b.names[at.Name] = row
			b.alive[at.Name] = b.alive[at.Name] || row.DeletedAt.IsZero()
		}
	}
	for _, e := range c.Environments {
		b.envs[e.ID] = e
		for _, r := range e.Inventory {
			if old, twice := b.recorded[r]; !twice || old.Phase == PhaseGone {
				b.recorded[r] = e // one that is still there is right
			}
		}
	}
	return b
}

// keeps reports whether a row looks after a cluster of the cloud: it holds its
// name, and there is something the cluster is for.
func (b books) keeps(o OwnedCluster) bool {
	row, known := b.rows[o.Labels[LabelClusterID]]
	if !known || !row.DeletedAt.IsZero() {
		return false
	}
	if row.At() != o.ClusterAttempt && !slices.Contains(row.Abandoned, o.ClusterAttempt) {
		return false
	}
	if row.Desired == Absent || row.Placement != Dedicated {
		return true
	}
	e, there := b.envs[row.Environment]
	return there && e.Phase != PhaseGone
}

// Adopt opens the row of a cluster again that was taken for gone, so that the
// runner takes the cluster away in the one way there is. What else the row
// holds is left as it is.
func Adopt(c Cluster, o Orphan) Cluster {
	at := ClusterAttempt{Name: o.Name, Location: o.Location}
	if at != c.At() && !slices.Contains(c.Abandoned, at) {
		c.Abandoned = append(slices.Clip(c.Abandoned), at)
	}
	if !c.DeletedAt.IsZero() || at == c.At() {
		c.Desired = Absent
		if c.State != StateFailed {
			c.State = StateDeleting
		}
	}
	c.DeletedAt = time.Time{}
	c.Message = "It is still in the cloud although nothing uses it; it is being deleted."
	return c
}
