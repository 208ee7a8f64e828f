package guest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

func testSpec(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"kubeconfig", "ca.crt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Spec{
		Name: "n1", Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig"), ClientCA: filepath.Join(dir, "ca.crt"),
		Cgroup: "/daskbot-1/n1", Address: "10.77.0.2/24", PodRange: "10.77.1.0/25", ServiceDNS: "34.118.224.10",
		Registry: "10.77.0.1:5000", CPUs: 4, MemoryBytes: 15 << 30, ReservedMilliCPU: 80, ReservedBytes: 1 << 30,
		ContainerNetworks: "/usr/lib/cni",
	}
}

func TestSettings(t *testing.T) {
	spec := testSpec(t)
	all, err := readSettings(spec)
	if err != nil {
		t.Fatal(err)
	}
	var kubelet kubeletconfig.KubeletConfiguration
	if err := yaml.UnmarshalStrict(all[kubeletSettings], &kubelet); err != nil {
		t.Fatal(err)
	}
	if kubelet.CgroupRoot != spec.Cgroup || kubelet.KubeReserved["cpu"] != "80m" || *kubelet.Authentication.Anonymous.Enabled {
		t.Errorf("kubelet has cgroup root %s, reserves %v, anonymous callers %v", kubelet.CgroupRoot, kubelet.KubeReserved, *kubelet.Authentication.Anonymous.Enabled)
	}
	var network struct{ Plugins []map[string]any }
	if err := json.Unmarshal(all[networksDir+"/pods.conflist"], &network); err != nil || len(network.Plugins) != 2 {
		t.Errorf("pod network %s: %v", all[networksDir+"/pods.conflist"], err)
	}
	for file, want := range map[string]string{
		// The first line, before any table: what no mirror has is asked there.
		registriesDir + "/_default/hosts.toml": "server = \"http://10.77.0.1:5000\"\n[host.\"http://10.77.0.1:5000\"]",
		containerdSettings:                     registriesDir,
		resolvFile:                             "nameserver 34.118.224.10",
		kubeconfigFile:                         "kubeconfig",
	} {
		if !strings.Contains(string(all[file]), want) {
			t.Errorf("%s has no %q:\n%s", file, want, all[file])
		}
	}
	spec.Registry = ""
	if all, err = readSettings(spec); err != nil || all[registriesDir+"/_default/hosts.toml"] != nil {
		t.Errorf("without a registry there is a mirror, or %v", err)
	}
}

func TestSpecIsReadAsWritten(t *testing.T) {
	want := testSpec(t)
	path := filepath.Join(want.Dir, "node.json")
	if err := want.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if _, err := Load(path + ".missing"); err == nil {
		t.Error("a file that is not there was read")
	}
}
