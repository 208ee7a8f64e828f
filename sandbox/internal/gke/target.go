package gke

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// target is what a request is about.
type target struct {
	Project, Location, Cluster, Pool, Operation string
}

// targetOf reads a request's name or parent, or else the deprecated fields.
func targetOf(request proto.Message) target {
	m := request.ProtoReflect()
	get := func(field protoreflect.Name) string {
		fd := m.Descriptor().Fields().ByName(field)
		if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
			return ""
		}
		return m.Get(fd).String()
	}
	t := target{
		Project: get("project_id"), Location: get("zone"), Cluster: get("cluster_id"),
		Pool: get("node_pool_id"), Operation: get("operation_id"),
	}
	path := get("name")
	if path == "" {
		path = get("parent")
	}
	parts := strings.Split(path, "/")
	for i := 0; i+1 < len(parts); i += 2 {
		switch parts[i] {
		case "projects":
			t.Project = parts[i+1]
		case "locations", "zones":
			t.Location = parts[i+1]
		case "clusters":
			t.Cluster = parts[i+1]
		case "nodePools":
			t.Pool = parts[i+1]
		case "operations":
			t.Operation = parts[i+1]
		}
	}
	return t
}

// target resolves what a request is about: the project by its id, and a
// location that exists. Access to the project was checked before.
func (s *Server) target(request proto.Message) (target, error) {
	t := targetOf(request)
	p, err := s.world.Project(t.Project)
	if err != nil {
		return t, cloud.Errorf(cloud.InvalidArgument, "The resource name of the request does not name a project.")
	}
	t.Project = p.ID
	if t.Location != "-" && cloud.RegionOf(t.Location) == "" {
		return t, cloud.Errorf(cloud.InvalidArgument, "Location %q does not exist.", t.Location)
	}
	return t, nil
}

// cluster resolves a request about one cluster.
func (s *Server) cluster(request proto.Message) (target, cloud.Cluster, error) {
	t, err := s.target(request)
	if err != nil {
		return t, cloud.Cluster{}, err
	}
	c, err := s.world.Cluster(t.Project, t.Location, t.Cluster)
	return t, c, err
}
