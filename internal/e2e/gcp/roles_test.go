package gcp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../../.."

// asks says which permissions a method of Google's APIs asks for. Methods of
// Compute Engine's collections follow a rule, and so are not here.
var asks = map[string][]string{
	"CreateCluster":               {"container.clusters.create"},
	"DeleteCluster":               {"container.clusters.delete"},
	"GetCluster":                  {"container.clusters.get"},
	"GetNodePool":                 {"container.clusters.get"},
	"GetServerConfig":             {"container.clusters.list"},
	"ListClusters":                {"container.clusters.list"},
	"SetNodePoolSize":             {"container.clusters.update"},
	"SetNodePoolAutoscaling":      {"container.clusters.update"},
	"GetOperation":                {"container.operations.get"},
	"ListOperations":              {"container.operations.list"},
	"Skus.List":                   nil, // the public price list
	"Projects.TestIamPermissions": nil, // anybody may ask what he may do
	"RegionDisks.Get":             {"compute.disks.get"},
	"RegionDisks.Delete":          {"compute.disks.delete"},
}

// besides are permissions that no method is called for by name, with why.
var besides = map[string]string{
	"container.clusters.connect":    "the control plane by its DNS name",
	"compute.networks.updatePolicy": "Firewalls.Delete",
	"compute.targetPools.use":       "ForwardingRules.Delete",
	"compute.backendServices.use":   "ForwardingRules.Delete",
	"compute.healthChecks.use":      "BackendServices.Delete",
	"compute.httpHealthChecks.use":  "TargetPools.Delete",
	"compute.addresses.use":         "ForwardingRules.Delete",
}

// permissions are those of a role; it also sees that the file is one.
func permissions(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "configs/gcp", file))
	if err != nil {
		t.Fatal(err)
	}
	var role struct {
		Title, Description, Stage string
		IncludedPermissions       []string `yaml:"includedPermissions"`
	}
	if err := yaml.Unmarshal(text, &role); err != nil {
		t.Fatal(err)
	}
	if role.Title == "" || len(role.Description) > 256 || role.Stage != "GA" {
		t.Errorf("%s: got %q, %q, %q", file, role.Title, role.Description, role.Stage)
	}
	if sorted := slices.Sorted(slices.Values(role.IncludedPermissions)); len(slices.Compact(sorted)) != len(role.IncludedPermissions) {
		t.Errorf("%s names a permission twice", file)
	}
	return role.IncludedPermissions
}

// walk visits every expression of a package that is not a test.
func walk(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: got %v, %v", dir, files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil {
				visit(n)
			}
			return true
		})
	}
}

// chain is x.a.b.c as names, innermost first: [x a b c]. Calls on the way, as
// of CoreV1(), are named like fields.
func chain(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.Ident:
		return []string{e.Name}
	case *ast.SelectorExpr:
		return append(chain(e.X), e.Sel.Name)
	case *ast.CallExpr:
		return chain(e.Fun)
	default:
		return nil
	}
}

// called are the methods that the packages use of clients of Google's, such as
// "CreateCluster" and "Disks.Get".
func called(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"internal/provision/gke", "internal/provision/compute", "internal/provision/billing"} {
		walk(t, dir, func(n ast.Node) {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return
			}
			if method := methodOf(chain(selector)); method != "" {
				all[method] = dir
			}
		})
	}
	return all
}

// restMethods are those of collections in Google's REST clients; what else is
// chained to a call only sets its parameters.
var restMethods = []string{"Get", "List", "AggregatedList", "Insert", "Delete", "Patch", "Update", "SetLabels", "TestIamPermissions"}

// methodOf names the method of Google's that a chain of names selects: of a
// gRPC client, which the packages call api, or of a collection of a REST
// client, which they call s or service. "" when it is none.
func methodOf(names []string) string {
	last := len(names) - 1
	switch {
	case last == 2 && names[1] == "api" && verbs[names[last]] == "" && token.IsExported(names[last]) && !slices.Contains([]string{"Close", "CallOptions"}, names[last]):
		return names[last]
	case last >= 2 && slices.Contains(restMethods, names[last]) && (names[0] == "s" && last == 2 || slices.Contains(names[:last-1], "service")):
		if token.IsExported(names[last-1]) && !slices.Contains(restMethods, names[last-1]) {
			return names[last-1] + "." + names[last]
		}
	}
	return ""
}

// ruled is the permission of a method of Compute Engine: Disks.AggregatedList
// asks for compute.disks.list.
func ruled(method string) string {
	collection, verb, _ := strings.Cut(method, ".")
	verb = strings.ToLower(verb)
	if verb == "aggregatedlist" {
		verb = "list"
	}
	return "compute." + strings.ToLower(collection[:1]) + collection[1:] + "." + verb
}

// TestTheRoleHoldsWhatIsCalled compares both ways: nothing may be missing, and
// nothing may be there that nobody calls for.
func TestTheRoleHoldsWhatIsCalled(t *testing.T) {
	has := permissions(t, "clusters-role.yaml")
	wanted := map[string]string{}
	maps.Copy(wanted, besides)
	methods := called(t)
	if len(methods) < 20 {
		t.Fatalf("calls found: got %v, want those of three clients", methods)
	}
	for method, dir := range methods {
		needs, known := asks[method]
		switch {
		case known:
		case dir == "internal/provision/compute":
			needs = []string{ruled(method)}
		default:
			t.Errorf("%s calls %s: which permission is that? Write it down here and in the role", dir, method)
		}
		for _, p := range needs {
			wanted[p] = method
			if !slices.Contains(has, p) {
				t.Errorf("%s calls %s, which asks for %s; the role clusters-role.yaml has it not", dir, method, p)
			}
		}
	}
	for _, p := range has {
		if wanted[p] == "" {
			t.Errorf("clusters-role.yaml grants %s, which nothing calls for", p)
		}
	}
}

// verbs are the permission's verb for a method of client-go.
var verbs = map[string]string{"Get": "get", "List": "list", "Watch": "list", "Create": "create", "Update": "update", "UpdateStatus": "update",
	"Patch": "update", "Apply": "update", "Delete": "delete", "DeleteCollection": "delete", "CreateToken": "createToken", "GetLogs": "getLogs"}

// TestTheRoleHoldsWhatIsDoneInClusters compares the typed calls of the adapter
// of Kubernetes with the role for objects.
func TestTheRoleHoldsWhatIsDoneInClusters(t *testing.T) {
	has := permissions(t, "objects-role.yaml")
	seen := 0
	walk(t, "internal/provision/kube", func(n ast.Node) {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return
		}
		names := chain(selector)
		last := len(names) - 1
		if last < 3 || !strings.HasSuffix(names[last-2], "V1") || verbs[names[last]] == "" {
			return
		}
		seen++
		kind := strings.ToLower(names[last-1][:1]) + names[last-1][1:]
		if p := "container." + kind + "." + verbs[names[last]]; !slices.Contains(has, p) {
			t.Errorf("internal/provision/kube calls %s.%s; objects-role.yaml has not %s", names[last-1], names[last], p)
		}
	})
	if seen < 20 {
		t.Errorf("typed calls found: got %d, want more", seen)
	}
}
