package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/pki"
)

func TestServingCertificateIsGoodForEveryName(t *testing.T) {
	dir := t.TempDir()
	ip := net.ParseIP("127.77.0.3")
	files, ca, err := pki.Ensure(dir, "c1", []net.IP{ip})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatal("authority is not PEM")
	}
	pair, err := tls.LoadX509KeyPair(files.ServingCert, files.ServingKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.77.0.3", "kubernetes.default.svc", "localhost"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("certificate for %s: %v", name, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.77.0.4"}); err == nil {
		t.Error("certificate is good for another cluster's address")
	}
}

func TestEnsureKeepsWhatExists(t *testing.T) {
	dir := t.TempDir()
	_, first, err := pki.Ensure(dir, "c1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := pki.Ensure(dir, "c1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Error("a second Ensure made another authority")
	}
}
