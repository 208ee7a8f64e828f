package standin

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/daskbot/daskbot/sandbox/internal/charts"
)

const (
	clusterID = "c1"
	namespace = "ns"
)

// noon is when every test takes place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(t time.Time) *time.Time { return &t }

// installed is a chart in a cluster where every Deployment has its pods.
type installed struct {
	*testing.T
	backends *Backends
	client   *fake.Clientset
	now      time.Time
	servers  map[string]*httptest.Server
}

func install(t *testing.T, chart, version, release, given string) *installed {
	t.Helper()
	in := &installed{T: t, backends: New(Config{}), now: noon, servers: map[string]*httptest.Server{}}
	in.backends.now = func() time.Time { return in.now }
	in.client = fake.NewClientset(rendered(t, chart, version, release, given)...)
	return in
}

// rendered is what installing a chart makes, and a ready pod for every
// replica of a Deployment.
func rendered(t *testing.T, chart, version, release, given string) []runtime.Object {
	t.Helper()
	repository, err := charts.New()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := repository.Chart(chart, version)
	if err != nil {
		t.Fatal(err)
	}
	values, err := chartutil.ReadValues([]byte(given))
	if err != nil {
		t.Fatal(err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		t.Fatal(err)
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}
	all, err := chartutil.ToRenderValues(loaded, values, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(loaded, all)
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for name, text := range files {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for _, manifest := range releaseutil.SplitManifests(text) {
			if strings.TrimSpace(manifest) == "" {
				continue
			}
			object, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(manifest), nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			object.(metav1.Object).SetNamespace(namespace)
			objects = append(objects, object)
			objects = append(objects, pods(object)...)
		}
	}
	return objects
}

func pods(object runtime.Object) []runtime.Object {
	deployment, ok := object.(*appsv1.Deployment)
	if !ok {
		return nil
	}
	var made []runtime.Object
	for i := range *deployment.Spec.Replicas {
		pod := &corev1.Pod{ObjectMeta: *deployment.Spec.Template.ObjectMeta.DeepCopy(), Spec: deployment.Spec.Template.Spec}
		pod.Name, pod.Namespace = deployment.Name+"-"+string('a'+i), namespace
		pod.Status.PodIP = "10.0.0." + string('1'+i)
		makeReady(pod)
		made = append(made, pod)
	}
	return made
}

func makeReady(pod *corev1.Pod) {
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(-time.Hour)),
	}}
}

// stop takes away the pods of a component.
func (in *installed) stop(component string) {
	in.Helper()
	list, err := in.client.CoreV1().Pods(namespace).List(in.Context(), metav1.ListOptions{LabelSelector: "component=" + component})
	if err != nil {
		in.Fatal(err)
	}
	for _, pod := range list.Items {
		if err := in.client.CoreV1().Pods(namespace).Delete(in.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
			in.Fatal(err)
		}
	}
}

// url serves a port of a Service and returns where.
func (in *installed) url(service string, port int32) string {
	in.Helper()
	key := service + string(rune(port))
	if in.servers[key] == nil {
		found, err := in.client.CoreV1().Services(namespace).Get(in.Context(), service, metav1.GetOptions{})
		if err != nil {
			in.Fatal(err)
		}
		in.servers[key] = httptest.NewServer(in.backends.Handler(clusterID, in.client, found, port))
		in.Cleanup(in.servers[key].Close)
	}
	return in.servers[key].URL
}

func (in *installed) set(a Activity) {
	in.Helper()
	if err := in.backends.SetActivity(clusterID, a); err != nil {
		in.Fatal(err)
	}
}

// answer is a response, read.
type answer struct {
	status int
	body   string
	header http.Header
}

func (in *installed) ask(client *http.Client, method, url, token, body string) answer {
	in.Helper()
	request, err := http.NewRequestWithContext(in.Context(), method, url, strings.NewReader(body))
	if err != nil {
		in.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "token "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		in.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		in.Fatal(err)
	}
	return answer{response.StatusCode, strings.TrimSpace(string(data)), response.Header}
}

func (in *installed) get(url, token string) answer {
	in.Helper()
	return in.ask(http.DefaultClient, http.MethodGet, url, token, "")
}

// browser keeps cookies and does not follow redirects.
func (in *installed) browser() *http.Client {
	in.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		in.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

var xsrfField = regexp.MustCompile(`name="_xsrf" value="([^"]+)"`)

// login does what a person does: open the page, fill in the form, send it.
func (in *installed) login(browser *http.Client, page, username, password string) answer {
	in.Helper()
	form := in.ask(browser, http.MethodGet, page, "", "")
	values := url.Values{"username": {username}, "password": {password}}
	if found := xsrfField.FindStringSubmatch(form.body); found != nil {
		values.Set("_xsrf", found[1])
	}
	response, err := browser.PostForm(page, values)
	if err != nil {
		in.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		in.Fatal(err)
	}
	return answer{response.StatusCode, string(data), response.Header}
}
