package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const validity = 5 * 365 * 24 * time.Hour

// Files are the paths of one control plane's keys and certificates.
type Files struct {
	CACert, CAKey                           string
	ServingCert, ServingKey                 string
	KubeletClientCert, KubeletClientKey     string // by which the API server calls kubelets
	ServiceAccountKey, ServiceAccountPublic string
}

// Layout names the files of the control plane whose files live in dir. It
// touches nothing.
func Layout(dir string) Files {
	in := func(name string) string { return filepath.Join(dir, name) }
	return Files{
		CACert: in("ca.crt"), CAKey: in("ca.key"),
		ServingCert: in("apiserver.crt"), ServingKey: in("apiserver.key"),
		KubeletClientCert: in("kubelet-client.crt"), KubeletClientKey: in("kubelet-client.key"),
		ServiceAccountKey: in("service-account.key"), ServiceAccountPublic: in("service-account.pub"),
	}
}

// Ensure makes the files that are missing in dir for an API server that is
// reached at the given addresses, and returns the authority's certificate in
// PEM. An error means that dir cannot be written or holds broken files.
func Ensure(dir, commonName string, addresses []net.IP) (Files, []byte, error) {
	files := Layout(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, nil, err
	}
	// The service account key is written last, so its presence says that a
	// crash did not interrupt this function.
	if _, err := os.Stat(files.ServiceAccountPublic); errors.Is(err, fs.ErrNotExist) {
		if err := files.create(commonName, addresses); err != nil {
			return files, nil, fmt.Errorf("make certificates in %s: %w", dir, err)
		}
	} else if err != nil {
		return files, nil, err
	}
	ca, err := os.ReadFile(files.CACert)
	return files, ca, err
}

func (f Files) create(commonName string, addresses []net.IP) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := authority(commonName)
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	certDER, err := x509.CreateCertificate(rand.Reader, serving(addresses), ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	clientDER, err := x509.CreateCertificate(rand.Reader, kubeletClient(), ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(f.CACert, "CERTIFICATE", caDER), writeKey(f.CAKey, caKey),
		writePEM(f.ServingCert, "CERTIFICATE", certDER), writeKey(f.ServingKey, key),
		writePEM(f.KubeletClientCert, "CERTIFICATE", clientDER), writeKey(f.KubeletClientKey, key),
		writeKey(f.ServiceAccountKey, signer), writePEM(f.ServiceAccountPublic, "PUBLIC KEY", public),
	)
}

func authority(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: commonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:     true, BasicConstraintsValid: true,
	}
}

func serving(addresses []net.IP) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: addresses,
		DNSNames: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost",
		},
	}
}

func kubeletClient() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func serial() *big.Int {
	return new(big.Int).SetBytes([]byte(rand.Text()[:16]))
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
