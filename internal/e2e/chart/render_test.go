package chart

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

const source = "../../../charts/daskbot"

func load(t *testing.T) *helmchart.Chart {
	t.Helper()
	c, err := loader.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// valuesSets are those under ci, by name.
func valuesSets(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(source, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("sets of values: got %v, %v; want some", files, err)
	}
	sets := map[string]map[string]any{}
	for _, file := range files {
		values, err := chartutil.ReadValuesFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = values
	}
	return sets
}

// render gives the manifests by template, without the notes.
func render(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	c := load(t)
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.34.0", Major: "1", Minor: "34"}
	full, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "bot", Namespace: "daskbot", IsInstall: true}, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(c, full)
	maps.DeleteFunc(files, func(name, text string) bool {
		return strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".tpl") || strings.TrimSpace(text) == ""
	})
	return files, err
}

// objects decodes strictly: an unknown field is an error.
func objects(t *testing.T, values map[string]any) []runtime.Object {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, gateway.Install, monitoring.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, document := range documents(t, files[name]) {
			object, _, err := decoder.Decode(document, nil, nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, document)
				continue
			}
			all = append(all, object)
		}
	}
	return all
}

func documents(t *testing.T, text string) [][]byte {
	t.Helper()
	var all [][]byte
	reader := yaml.NewYAMLReader(newReader(text))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(document)) > 0 {
			all = append(all, document)
		}
	}
}

// one finds the only object of a type.
func one[T runtime.Object](t *testing.T, all []runtime.Object) T {
	t.Helper()
	var found []T
	for _, o := range all {
		if typed, ok := o.(T); ok {
			found = append(found, typed)
		}
	}
	if len(found) != 1 {
		t.Fatalf("objects of type %T: got %d, want 1", *new(T), len(found))
	}
	return found[0]
}

func TestEveryObjectIsOneThatKubernetesKnows(t *testing.T) {
	for name, values := range valuesSets(t) {
		t.Run(name, func(t *testing.T) {
			if got := len(objects(t, values)); got < 5 {
				t.Errorf("objects: got %d, want more", got)
			}
		})
	}
}

func TestLint(t *testing.T) {
	for name, values := range valuesSets(t) {
		for _, message := range lint.AllWithKubeVersion(source, values, "daskbot", nil).Messages {
			if message.Severity > support.InfoSev {
				t.Errorf("%s: %s", name, message)
			}
		}
	}
}

// TestPods sees what holds for any pod of the chart.
func TestPods(t *testing.T) {
	for name, values := range valuesSets(t) {
		t.Run(name, func(t *testing.T) {
			pod := podOf(t, objects(t, values))
			if pod.Annotations["checksum/config"] == "" {
				t.Error("a changed configuration would not replace the pod")
			}
			c := pod.Spec.Containers[0]
			if !*c.SecurityContext.ReadOnlyRootFilesystem || c.ReadinessProbe.HTTPGet.Path != "/readyz?exclude=cloud" || c.LivenessProbe.HTTPGet.Path != "/healthz" {
				t.Errorf("the container's root or probes: %+v", c)
			}
			written := map[string]bool{}
			for _, m := range c.VolumeMounts {
				written[m.MountPath] = !m.ReadOnly
			}
			if !written["/tmp"] || !written["/var/lib/daskbot"] || written["/etc/daskbot"] {
				t.Errorf("writable paths: got %v; want /tmp and /var/lib/daskbot, and not the configuration", written)
			}
			if hosting := name == "hosting"; *pod.Spec.AutomountServiceAccountToken != hosting {
				t.Errorf("a token for its own cluster: got %v, want %v", !hosting, hosting)
			}
		})
	}
}

// TestAChangedConfigurationReplacesPods compares the pods before and after.
func TestAChangedConfigurationReplacesPods(t *testing.T) {
	values := valuesSets(t)["postgres"]
	before := podOf(t, objects(t, values)).Annotations["checksum/config"]
	values["config"].(map[string]any)["log"] = map[string]any{"level": "debug"}
	if after := podOf(t, objects(t, values)).Annotations["checksum/config"]; after == before {
		t.Error("the checksum stayed the same")
	}
}

func podOf(t *testing.T, all []runtime.Object) corev1.PodTemplateSpec {
	t.Helper()
	for _, o := range all {
		if template := templateOf(o); template != nil {
			return *template
		}
	}
	t.Fatal("nothing runs pods")
	return corev1.PodTemplateSpec{}
}
