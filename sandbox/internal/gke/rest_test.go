package gke

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

func restServer(t *testing.T) *httptest.Server {
	t.Helper()
	world, err := cloud.Open(cloud.Config{Dir: t.TempDir(), Network: "127.203"})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing runs the operations: these tests look at requests and answers.
	h, err := New(Config{World: world, Planes: &planes{world: world, up: map[string]bool{}}, Token: "secret"}).REST()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func TestGoogleClientOverREST(t *testing.T) {
	server := restServer(t)
	ctx := t.Context()
	client, err := container.NewClusterManagerRESTClient(ctx, option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	op, err := client.CreateCluster(ctx, &containerpb.CreateClusterRequest{Parent: inZone, Cluster: newTestCluster("hub")})
	if err != nil || op.GetOperationType() != containerpb.Operation_CREATE_CLUSTER {
		t.Fatalf("create: got %v, %v", op, err)
	}
	c, err := client.GetCluster(ctx, &containerpb.GetClusterRequest{Name: inZone + "/clusters/hub"})
	if err != nil || c.GetStatus() != containerpb.Cluster_PROVISIONING || c.GetNodePools()[0].GetConfig().GetMachineType() != "n1-standard-4" {
		t.Errorf("get: got %v, %v", c, err)
	}
	list, err := client.ListClusters(ctx, &containerpb.ListClustersRequest{Parent: inProject + "/locations/-"})
	if err != nil || len(list.GetClusters()) != 1 {
		t.Errorf("list: got %v, %v", list, err)
	}
	if _, err = client.GetOperation(ctx, &containerpb.GetOperationRequest{Name: inZone + "/operations/" + op.GetName()}); err != nil {
		t.Errorf("operation: %v", err)
	}
	// The client's own translation: 409 is Aborted.
	_, err = client.CreateCluster(ctx, &containerpb.CreateClusterRequest{Parent: inZone, Cluster: newTestCluster("hub")})
	wantCode(t, "create again", err, codes.Aborted)
	config, err := client.GetServerConfig(ctx, &containerpb.GetServerConfigRequest{Name: inZone})
	if err != nil || len(config.GetChannels()) != 4 {
		t.Errorf("server config: got %v, %v", config, err)
	}
}

func TestRESTByHand(t *testing.T) {
	server := restServer(t)
	tests := map[string]struct {
		method, path, body, token string
		status                    int
		contains                  string
	}{
		"by zone":       {method: "GET", path: "/v1/projects/sandbox-project/zones/europe-west1-b/clusters", status: 200, contains: "{}"},
		"by number":     {method: "GET", path: "/v1/projects/100000000001/locations/-/clusters?alt=json", status: 200, contains: "{}"},
		"old create":    {method: "POST", path: "/v1/projects/sandbox-project/zones/europe-west1-b/clusters", body: `{"cluster":{"name":"old","initialNodeCount":1,"nodeConfig":{"machineType":"e2-medium"},"unknown":1}}`, status: 200, contains: `"CREATE_CLUSTER"`},
		"not found":     {method: "GET", path: "/v1/" + inZone + "/clusters/none", status: 404, contains: "Not found: projects/sandbox-project/zones/europe-west1-b/clusters/none."},
		"broken body":   {method: "POST", path: "/v1/" + inZone + "/clusters", body: `{`, status: 400, contains: "INVALID_ARGUMENT"},
		"no such path":  {method: "GET", path: "/v1/teapots", status: 404, contains: "NOT_FOUND"},
		"not available": {method: "GET", path: "/v1/projects/sandbox-project/aggregated/usableSubnetworks", status: 501, contains: "UNIMPLEMENTED"},
		"wrong token":   {method: "GET", path: "/v1/" + inZone + "/clusters", token: "guess", status: 401, contains: "UNAUTHENTICATED"},
		"right token":   {method: "GET", path: "/v1/" + inZone + "/clusters", token: "secret", status: 200},
		"bad query":     {method: "GET", path: "/v1/" + inZone + "/clusters?tea=1", status: 400, contains: "tea"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if tc.token != "" {
				r.Header.Set("Authorization", "Bearer "+tc.token)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tc.status || !strings.Contains(string(body), tc.contains) || !json.Valid(body) {
				t.Errorf("got %d %s; want %d with %q", answer.StatusCode, body, tc.status, tc.contains)
			}
		})
	}
}
