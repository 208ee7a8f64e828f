package gke

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"golang.org/x/oauth2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Target says how to reach the cluster's API server: by its DNS endpoint when
// that is open, else by address and the cluster's own CA. While the cluster
// has neither (it is being made, or deleted) the error is CodeUnavailable;
// CodeNotFound when there is no such cluster.
func (c *Client) Target(ctx context.Context, cl environment.Cluster) (environment.Target, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	cluster, err := c.cluster(ctx, cl.Project, attempt(cl))
	if err != nil {
		return environment.Target{}, err
	}
	if cluster == nil {
		return environment.Target{}, environment.Errorf(environment.CodeNotFound, "The cluster %s does not exist any more.", cl.Name)
	}
	host, ca, err := address(cluster)
	if err != nil {
		return environment.Target{}, err
	}
	return environment.Target{
		Host:  host,
		CA:    ca,
		Token: bearer(c.tokens),
		Key:   clusterPath(cl.Project, attempt(cl)) + "@" + fingerprint(host, ca),
	}, nil
}

func address(cluster *pb.Cluster) (host string, ca []byte, err error) {
	dns := cluster.GetControlPlaneEndpointsConfig().GetDnsEndpointConfig()
	if dns.GetAllowExternalTraffic() && dns.GetEndpoint() != "" {
		return "https://" + dns.GetEndpoint(), nil, nil
	}
	encoded := cluster.GetMasterAuth().GetClusterCaCertificate()
	if cluster.GetEndpoint() == "" || encoded == "" {
		return "", nil, environment.Errorf(environment.CodeUnavailable, "The cluster %s has no address yet.", cluster.GetName())
	}
	ca, err = base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", nil, &environment.Error{Code: environment.CodeInternal, Err: err,
			Message: "The cluster's certificate cannot be read."}
	}
	return "https://" + cluster.GetEndpoint(), ca, nil
}

// fingerprint changes when a cluster of the same name is another one, or got
// another certificate, so that nobody keeps a client that cannot work.
func fingerprint(host string, ca []byte) string {
	sum := sha256.Sum256(append([]byte(host+"\n"), ca...))
	return hex.EncodeToString(sum[:6])
}

func bearer(tokens oauth2.TokenSource) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		token, err := tokens.Token()
		if err != nil {
			return "", &environment.Error{Code: environment.CodeUnavailable, Err: err,
				Message: "Google Cloud gives daskbot no access token at the moment."}
		}
		return token.AccessToken, nil
	}
}
