package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/daskbot/daskbot"

// anything marks the places that wire the others together.
const anything = "*"

// mayImport is what each package may import of this module. Every internal
// package may import the domain; none imports a sibling.
var mayImport = map[string][]string{
	"cmd/daskbot":                      {anything},
	"cmd/daskbot/client":               {"internal/api", "internal/environment"}, // the shapes of REST
	"api":                              {},
	"configs/gcp":                      {}, // the roles of docs/INSTALL.md, which are printed too
	"internal/activity":                {"internal/environment"},
	"internal/api":                     {"internal/environment"},
	"internal/arch":                    {},
	"internal/bench":                   {}, // measures from outside
	"internal/bot":                     {"internal/environment"},
	"internal/chaos":                   {anything},
	"internal/config":                  {"internal/environment"},
	"internal/e2e":                     {anything},
	"internal/environment":             {},
	"internal/lms":                     {"internal/environment"},
	"internal/lti":                     {"internal/environment"},
	"internal/notify":                  {"internal/environment"},
	"internal/oidc":                    {"internal/environment"},
	"internal/provision":               {"internal/environment"},
	"internal/provision/apiservertest": {}, // a real API server, for tests of the adapters
	"internal/provision/billing":       {"internal/environment"},
	"internal/provision/compute":       {"internal/environment"},
	"internal/provision/gke":           {"configs/gcp", "internal/environment"},
	"internal/provision/helm":          {"internal/environment"},
	"internal/provision/kube":          {"internal/environment"},
	"internal/reaper":                  {"internal/environment"},
	"internal/store":                   {"internal/environment"},
	"internal/telemetry":               {"internal/environment"},
	"internal/term":                    {"internal/environment"},
	"internal/webhook":                 {"internal/environment"},
	"internal/store/storetest":         {"internal/environment", "internal/store"}, // a real store, for tests of what stands on one
}

// homes says where each vendor library may be used. The longest matching
// prefix counts.
var homes = map[string][]string{
	"github.com/spf13/cobra":           {"cmd/daskbot"},
	"github.com/gin-gonic":             {"internal/api"},
	"github.com/danielgtaylor/huma":    {"internal/api"},
	"github.com/coreos/go-oidc":        {"internal/lti", "internal/oidc"},
	"github.com/slack-go":              {"internal/bot"},
	"cloud.google.com/go/container":    {"internal/provision/gke"},
	"cloud.google.com/go/compute":      {"internal/provision/compute"},
	"cloud.google.com/go/serviceusage": {"internal/provision/gke"},
	"google.golang.org/api":            {"internal/provision/gke", "internal/provision/compute", "internal/provision/billing"},
	"google.golang.org/grpc":           {"internal/provision/gke"},
	"k8s.io":                           {"internal/provision/kube", "internal/provision/helm"},
	"sigs.k8s.io/yaml":                 {"internal/provision/kube", "internal/provision/helm", "cmd/daskbot"},
	"sigs.k8s.io":                      {"internal/provision/kube", "internal/provision/helm"},
	"helm.sh":                          {"internal/provision/helm"},
	"github.com/go-jose":               {"internal/bench", "internal/lms", "internal/lti", "internal/oidc"},
	"golang.org/x/time":                {"internal/api", "internal/lms", "internal/lti"},
	"github.com/riverqueue":            {"internal/store"},
	"riverqueue.com":                   {"internal/store"},
	"go.opentelemetry.io":              {"internal/telemetry", "internal/e2e"},
	"github.com/jackc":                 {"internal/store"},
	"github.com/pressly/goose":         {"internal/store"},
	"modernc.org/sqlite":               {"internal/store"},
	"github.com/robfig/cron":           {"internal/reaper"},
	"go.yaml.in/yaml":                  {"internal/config", "cmd/daskbot"},
	"gopkg.in/yaml.v3":                 {},
	"github.com/VictoriaMetrics":       {"cmd/daskbot"}, // the chart's queries under test
	"github.com/prometheus-operator":   {},
	"github.com/prometheus":            {"internal/api", "cmd/daskbot"},
	"github.com/stretchr/testify":      {},
	"github.com/rogpeppe/go-internal":  {"internal/e2e"},
	"github.com/pb33f/libopenapi":      {"internal/api", "internal/e2e"},
	"database/sql":                     {"internal/store"},
}

// file is one Go file with what it imports.
type file struct {
	pkg     string // relative to the module
	name    string
	test    bool
	imports []string
}

func files(t *testing.T) []file {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []file
	for _, top := range []string{"api", "cmd", "configs", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(p) != ".go" {
				return ignoreMissing(err, p, filepath.Join(root, top))
			}
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			f := file{pkg: path.Dir(filepath.ToSlash(rel)), name: filepath.ToSlash(rel), test: strings.HasSuffix(p, "_test.go")}
			for _, spec := range parsed.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				f.imports = append(f.imports, imported)
			}
			all = append(all, f)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// ignoreMissing lets a top folder be absent.
func ignoreMissing(err error, p, top string) error {
	if p == top {
		return nil
	}
	return err
}

func TestImportTable(t *testing.T) {
	unlisted := map[string]bool{}
	for _, f := range files(t) {
		allowed, listed := mayImport[f.pkg]
		if inherited := parent(f.pkg); !listed && inherited != "" {
			allowed, listed = mayImport[inherited], true
		}
		if !listed {
			unlisted[f.pkg] = true
			continue
		}
		if slices.Contains(allowed, anything) {
			continue
		}
		for _, imported := range f.imports {
			own, ok := strings.CutPrefix(imported, module+"/")
			if f.test && strings.HasSuffix(own, "test") {
				continue // as with net/http/httptest: what only tests use, all tests may use
			}
			if ok && own != f.pkg && !slices.Contains(allowed, own) && !strings.HasPrefix(own, f.pkg+"/") {
				t.Errorf("%s imports %s; %s may import %v", f.name, own, f.pkg, allowed)
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(unlisted)) {
		t.Errorf("package %s is not in the import table; add it here and to docs/ARCHITECTURE.md", pkg)
	}
}

// parent returns the wiring package (one that may import anything) that a
// package belongs to: what is under it follows its rule.
func parent(pkg string) string {
	for dir := path.Dir(pkg); dir != "."; dir = path.Dir(dir) {
		if slices.Contains(mayImport[dir], anything) {
			return dir
		}
	}
	return ""
}

func TestDomainIsStandardLibraryOnly(t *testing.T) {
	for _, f := range files(t) {
		if f.pkg != "internal/environment" || f.test {
			continue
		}
		for _, imported := range f.imports {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s; the domain imports the standard library only", f.name, imported)
			}
		}
	}
}

func TestVendorLibrariesHaveOneHome(t *testing.T) {
	for _, f := range files(t) {
		for _, imported := range f.imports {
			allowed, restricted := home(imported)
			if restricted && !lives(f, allowed) {
				t.Errorf("%s imports %s, whose home is %v", f.name, imported, allowed)
			}
		}
	}
}

// home finds the rule for a library by the longest prefix.
func home(imported string) (allowed []string, restricted bool) {
	longest := ""
	for prefix, where := range homes {
		matches := imported == prefix || strings.HasPrefix(imported, prefix+"/")
		if matches && len(prefix) > len(longest) {
			longest, allowed, restricted = prefix, where, true
		}
	}
	return allowed, restricted
}

// lives reports whether a file is at home. The end-to-end tests may use what
// they need to look at the result.
func lives(f file, allowed []string) bool {
	if f.pkg == "internal/e2e" || strings.HasPrefix(f.pkg, "internal/e2e/") {
		return true
	}
	for _, pkg := range allowed {
		if f.pkg == pkg || strings.HasPrefix(f.pkg, pkg+"/") {
			return true
		}
	}
	return false
}

// TestTheTableCatchesViolations plants violations, so that a typing error in
// the table does not turn the test off.
func TestTheTableCatchesViolations(t *testing.T) {
	for imported, pkg := range map[string]string{
		"helm.sh/helm/v3/pkg/action": "internal/api", "k8s.io/client-go/rest": "internal/provision",
		"github.com/gin-gonic/gin": "internal/store", "cloud.google.com/go/container/apiv1": "internal/provision/kube",
	} {
		allowed, restricted := home(imported)
		if !restricted || lives(file{pkg: pkg}, allowed) {
			t.Errorf("%s in %s is not caught", imported, pkg)
		}
	}
}
