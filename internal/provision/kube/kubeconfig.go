package kube

import (
	"context"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/daskbot/daskbot/internal/environment"
)

// An owner's token outlives a class, not a term.
const tokenSeconds = 24 * 60 * 60

// Kubeconfig makes a kubeconfig for the owner. It may edit the environment's
// namespace and nothing else, and its token ends after 24 hours (a server may
// make that shorter); asking again gives a new one. The result is a secret:
// the caller neither logs nor stores it.
func (c *Client) Kubeconfig(ctx context.Context, t environment.Target, p environment.Plan) ([]byte, error) {
	l, err := c.link(t)
	if err != nil {
		return nil, err
	}
	seconds := int64(tokenSeconds)
	token, err := l.typed.CoreV1().ServiceAccounts(p.Namespace).CreateToken(ctx, ownerAccount,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return nil, translate("token for "+p.Namespace, err)
	}
	cluster, err := clusterEntry(l.config)
	if err != nil {
		return nil, unusable(err)
	}
	name := "daskbot-" + p.Environment
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = cluster
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: p.Namespace}
	config.CurrentContext = name
	text, err := clientcmd.Write(*config)
	if err != nil {
		return nil, unusable(err)
	}
	return text, nil
}

// clusterEntry says how the API server is reached, without our own identity.
func clusterEntry(config *rest.Config) (*clientcmdapi.Cluster, error) {
	entry := &clientcmdapi.Cluster{
		Server:                   config.Host,
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
		CertificateAuthorityData: config.CAData,
	}
	if len(entry.CertificateAuthorityData) == 0 && config.CAFile != "" {
		ca, err := os.ReadFile(config.CAFile)
		if err != nil {
			return nil, err
		}
		entry.CertificateAuthorityData = ca
	}
	return entry, nil
}
