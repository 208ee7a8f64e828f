package cloud

import (
	"context"
	"slices"
)

// CreateDisk makes a persistent disk, or finds it made. The errors are
// InvalidArgument for an unknown zone or type, QuotaError, and Unavailable when
// it was scripted to fail.
func (w *World) CreateDisk(_ context.Context, project, zone string, disk Disk) error {
	if f := w.Take("disk-fails", Occasion{Method: "disk", Project: project, Location: zone}); f != nil {
		return Errorf(Unavailable, "Internal error. Please try again or contact Google Support. (Code: '%s')", f.ID)
	}
	if !IsZone(zone) {
		return Errorf(InvalidArgument, "Invalid value for field 'zone': '%s'. Unknown zone.", zone)
	}
	if _, ok := diskRate[disk.Type]; !ok {
		return Errorf(InvalidArgument, "Invalid value for field 'resource.type': '%s'. The referenced diskType resource cannot be found.", disk.Type)
	}
	_, err := w.Insert(Resource{
		Kind: KindDisk, Project: project, Location: zone, Name: disk.Name, Description: disk.Description,
		Labels: disk.Labels, Status: "READY", Type: disk.Type, SizeGB: disk.SizeGB,
	})
	if CodeOf(err) == AlreadyExists {
		return nil
	}
	return err
}

// DeleteDisk deletes a disk; InUse while a node has it attached.
func (w *World) DeleteDisk(_ context.Context, project, zone, name string) error {
	o := Occasion{Method: "disks.delete", Project: project, Location: zone}
	if f := w.Take("delete-fails", o); f != nil {
		return Errorf(Unavailable, "Internal error. Please try again or contact Google Support. (Code: '%s')", f.ID)
	}
	_, err := w.Remove(KindDisk, project, zone, name)
	if CodeOf(err) == NotFound {
		return nil
	}
	return err
}

// AttachDisk records the one node that uses a disk; an empty node detaches it.
func (w *World) AttachDisk(_ context.Context, project, zone, name, node string) error {
	err := w.ChangeResource(KindDisk, project, zone, name, func(r *Resource) {
		switch {
		case node == "" && len(r.Users) > 0:
			r.detach()
		case node != "" && !slices.Equal(r.Users, []string{node}):
			r.Users, r.LastAttached = []string{node}, now()
		}
	})
	if node == "" && CodeOf(err) == NotFound {
		return nil // gone, so nothing uses it: a second try must not trip over the first
	}
	return err
}
