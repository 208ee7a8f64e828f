package charts

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// rendered is what an install would send to a cluster, by Kind/name.
type rendered struct {
	objects map[string]runtime.Object
	text    map[string]string
	notes   string
}

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	read, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func testdata(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return values(t, string(data))
}

func repository(t *testing.T) *Repository {
	t.Helper()
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// render does what helm does with a chart on Kubernetes 1.34, offline.
func render(c *chart.Chart, release string, given map[string]any) (rendered, error) {
	out := rendered{objects: map[string]runtime.Object{}, text: map[string]string{}}
	if err := chartutil.ProcessDependenciesWithMerge(c, given); err != nil {
		return out, err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	version, err := chartutil.ParseKubeVersion("v1.34.0")
	if err != nil {
		return out, err
	}
	capabilities.KubeVersion = *version
	if !chartutil.IsCompatibleRange(c.Metadata.KubeVersion, version.Version) {
		return out, fmt.Errorf("kubeVersion %s refuses %s", c.Metadata.KubeVersion, version)
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: "ns", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, given, options, capabilities)
	if err != nil {
		return out, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return out, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			out.notes += files[name]
			continue
		}
		if err := out.decode(name, files[name]); err != nil {
			return out, err
		}
	}
	return out, nil
}

// decode reads objects strictly: an unknown or doubled field is an error.
func (r rendered) decode(name, text string) error {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, manifest := range releaseutil.SplitManifests(text) {
		if strings.TrimSpace(manifest) == "" {
			continue
		}
		object, kind, err := decoder.Decode([]byte(manifest), nil, nil)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, manifest)
		}
		meta := object.(interface{ GetName() string })
		key := kind.Kind + "/" + meta.GetName()
		if _, double := r.objects[key]; double {
			return fmt.Errorf("%s: %s a second time", name, key)
		}
		r.objects[key], r.text[key] = object, manifest
	}
	return nil
}

func (r rendered) names(kinds ...string) []string {
	var names []string
	for key := range r.objects {
		if kind, _, _ := strings.Cut(key, "/"); slices.Contains(kinds, kind) {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names
}

// object returns the one of that kind and name.
func object[T runtime.Object](t *testing.T, r rendered, key string) T {
	t.Helper()
	found, ok := r.objects[key].(T)
	if !ok {
		t.Fatalf("%s is %T; have %v", key, r.objects[key], slices.Sorted(maps.Keys(r.objects)))
	}
	return found
}

func mustRender(t *testing.T, name, version, release string, given map[string]any) rendered {
	t.Helper()
	c, err := repository(t).Chart(name, version)
	if err != nil {
		t.Fatal(err)
	}
	out, err := render(c, release, given)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryChartRendersAsItComes(t *testing.T) {
	r := repository(t)
	for name := range r.index.Entries {
		for _, version := range r.Versions(name) {
			t.Run(name+"-"+version, func(t *testing.T) {
				out := mustRender(t, name, version, "dhub", map[string]any{})
				if len(out.objects) == 0 || out.notes == "" {
					t.Errorf("got %d objects and notes %q; want some of both", len(out.objects), out.notes)
				}
			})
		}
	}
}

func TestCustomResourceDefinitions(t *testing.T) {
	c, err := repository(t).Chart("dask-kubernetes-operator", "2026.3.0")
	if err != nil {
		t.Fatal(err)
	}
	known := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	var names []string
	for _, crd := range c.CRDObjects() {
		object, _, err := decoder.Decode(crd.File.Data, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", crd.Name, err)
		}
		names = append(names, object.(*apiextensionsv1.CustomResourceDefinition).Name)
	}
	slices.Sort(names)
	want := []string{"daskautoscalers.kubernetes.dask.org", "daskclusters.kubernetes.dask.org", "daskjobs.kubernetes.dask.org", "daskworkergroups.kubernetes.dask.org"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}
