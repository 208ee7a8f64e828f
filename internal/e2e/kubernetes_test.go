package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// adminOf reaches a cluster as the cloud's owner may: with the sandbox's token.
func adminOf(c cluster) *rest.Config {
	return &rest.Config{Host: "https://" + c.Endpoint, BearerToken: stage.sandbox.endpoints.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CACertificate}}
}

// reach finds who asks an API server: "admin" of the project's only cluster,
// or whoever a kubeconfig is for.
func (w *stageHand) reach(ts *testscript.TestScript, who string) (*rest.Config, error) {
	if who != "admin" {
		return clientcmd.RESTConfigFromKubeConfig([]byte(ts.ReadFile(who)))
	}
	all, err := stage.sandbox.clusters(w.ctx, w.project)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("there are %d clusters; which one?", len(all))
	}
	return adminOf(all[0]), nil
}

// get reads one path of an API server.
func get(ctx context.Context, config *rest.Config, path string) ([]byte, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
	}
	return body, err
}

func kubeCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	config, err := w.reach(ts, args[0])
	if err != nil {
		return err
	}
	body, err := get(w.ctx, config, args[1])
	if err == nil {
		err = printIndented(ts.Stdout(), body)
	}
	return expect(neg, err)
}

// printIndented prints JSON a field a line, so that scripts can match lines.
func printIndented(w io.Writer, text []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return err
	}
	_, err := out.WriteTo(w)
	return err
}

func valuesCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 3 || neg {
		return errUsage
	}
	config, err := w.reach(ts, args[0])
	if err != nil {
		return err
	}
	values, err := releaseValues(w.ctx, config, args[1], args[2])
	if err != nil {
		return err
	}
	return printIndented(ts.Stdout(), values)
}

// releaseValues reads from Helm's own storage what a release was given last.
func releaseValues(ctx context.Context, config *rest.Config, namespace, name string) (json.RawMessage, error) {
	body, err := get(ctx, config, "/api/v1/namespaces/"+namespace+"/secrets?labelSelector=owner%3Dhelm%2Cstatus%3Ddeployed%2Cname%3D"+name)
	if err != nil {
		return nil, err
	}
	var secrets struct {
		Items []struct{ Data struct{ Release []byte } }
	}
	if err := json.Unmarshal(body, &secrets); err != nil {
		return nil, err
	}
	if len(secrets.Items) != 1 {
		return nil, fmt.Errorf("%d releases %s are deployed in %s; want 1", len(secrets.Items), name, namespace)
	}
	packed, err := base64.StdEncoding.DecodeString(string(secrets.Items[0].Data.Release))
	if err != nil {
		return nil, err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var release struct{ Config json.RawMessage }
	if err := json.NewDecoder(unpacked).Decode(&release); err != nil {
		return nil, err
	}
	if len(release.Config) == 0 {
		return nil, errors.New("the release has no values")
	}
	return release.Config, nil
}

// borrowCommand makes a cluster as somebody else would, over GKE's REST API,
// and writes an admin's kubeconfig for it.
func borrowCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 2 || neg {
		return errUsage
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	address := stage.sandbox.endpoints.GKERest + "/v1/projects/" + w.project + "/locations/europe-west1-b/clusters"
	body := map[string]any{"cluster": map[string]any{"name": args[0], "initialNodeCount": 2,
		"nodeConfig": map[string]any{"machineType": "n1-standard-4"}}}
	if err := askJSON(ctx, http.MethodPost, address, body, nil, "Authorization", "Bearer "+stage.sandbox.endpoints.Token); err != nil {
		return err
	}
	var lent cluster
	err := until(ctx, "wait for the cluster "+args[0], func() (bool, error) {
		all, err := stage.sandbox.clusters(ctx, w.project)
		for _, c := range all {
			if c.Name == args[0] {
				lent = c
			}
		}
		return lent.Status == "RUNNING", err
	})
	if err != nil {
		return err
	}
	return writeKubeconfig(ts.MkAbs(args[1]), lent)
}

func writeKubeconfig(file string, c cluster) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["lent"] = &clientcmdapi.Cluster{Server: "https://" + c.Endpoint, CertificateAuthorityData: c.CACertificate}
	config.AuthInfos["owner"] = &clientcmdapi.AuthInfo{Token: stage.sandbox.endpoints.Token}
	config.Contexts["lent"] = &clientcmdapi.Context{Cluster: "lent", AuthInfo: "owner"}
	config.CurrentContext = "lent"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
