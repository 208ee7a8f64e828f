package charts

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/downloader"
	"helm.sh/helm/v3/pkg/getter"
	"helm.sh/helm/v3/pkg/repo"
)

func TestVersions(t *testing.T) {
	r := repository(t)
	want := map[string][]string{
		"daskhub":                  {"2026.6.0", "2024.1.1"},
		"dask":                     {"2026.6.0", "2024.1.1"},
		"jupyterhub":               {"4.4.0", "3.2.1"},
		"dask-kubernetes-operator": {"2026.3.0"},
		"none":                     nil,
	}
	for name, versions := range want {
		if diff := cmp.Diff(versions, r.Versions(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Helm's own client, below a prefix, as helm repo add and helm pull use it.
func TestHelmReadsTheRepository(t *testing.T) {
	server := httptest.NewServer(http.StripPrefix("/charts", repository(t)))
	defer server.Close()
	settings := cli.New()
	settings.RepositoryCache, settings.RepositoryConfig = t.TempDir(), t.TempDir()+"/repositories.yaml"
	getters := getter.All(settings)
	source, err := repo.NewChartRepository(&repo.Entry{Name: "dask", URL: server.URL + "/charts"}, getters)
	if err != nil {
		t.Fatal(err)
	}
	source.CachePath = settings.RepositoryCache
	if _, err := source.DownloadIndexFile(); err != nil {
		t.Fatal(err)
	}
	url, err := repo.FindChartInRepoURL(server.URL+"/charts", "daskhub", "2024.1.1", "", "", "", getters)
	if err != nil {
		t.Fatal(err)
	}
	pull := downloader.ChartDownloader{Out: &bytes.Buffer{}, Getters: getters, RepositoryConfig: settings.RepositoryConfig, RepositoryCache: settings.RepositoryCache}
	if _, _, err := pull.DownloadTo(url, "2024.1.1", t.TempDir()); err != nil {
		t.Fatal(err)
	}
}

func TestServing(t *testing.T) {
	r := repository(t)
	get := func(method, target, match string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, target, nil)
		if match != "" {
			request.Header.Set("If-None-Match", match)
		}
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, request)
		return answer
	}
	first := get("GET", "/index.yaml", "")
	tag := first.Header().Get("ETag")
	for _, tt := range []struct {
		method, target, match string
		want                  int
	}{
		{"GET", "/index.yaml", "", 200},
		{"HEAD", "/index.yaml", "", 200},
		{"GET", "/index.yaml", tag, 304},
		{"GET", "/dask-2024.1.1.tgz", tag, 200},
		{"GET", "/dask-1.0.0.tgz", "", 404},
		{"GET", "/", "", 404},
		{"POST", "/index.yaml", "", 405},
	} {
		if got := get(tt.method, tt.target, tt.match).Code; got != tt.want {
			t.Errorf("%s %s: got %d; want %d", tt.method, tt.target, got, tt.want)
		}
	}
	again := repository(t)
	if !bytes.Equal(again.files["index.yaml"].data, first.Body.Bytes()) {
		t.Error("packaged again, the index differs: digests and ETags are not stable")
	}
}

func TestBrokenChartsAreRefused(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no such folder":  {},
		"no Chart.yaml":   {"a/values.yaml": {Data: []byte("{}")}},
		"no version":      {"a/Chart.yaml": {Data: []byte("apiVersion: v2\nname: a\n")}},
		"not YAML at all": {"a/Chart.yaml": {Data: []byte("\t:")}},
	} {
		if _, err := build(files, []released{{folder: "a", at: time.Unix(0, 0)}}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := repository(t).Chart("dask", "0.0.1"); err == nil {
		t.Error("an unknown version: got no error")
	}
}
