package gke

import (
	"context"
	"errors"
	"fmt"
	"strings"

	pb "cloud.google.com/go/container/apiv1/containerpb"

	"github.com/daskbot/daskbot/internal/environment"
)

// Allowed reports whether daskbot may use GKE in the project, by listing its
// clusters, which costs nothing. It does not prove that a create will be
// allowed: Google has no call that says so without making one.
//
// CodeForbidden carries the commands that grant what daskbot needs; they are
// for the person who owns the project.
func (c *Client) Allowed(ctx context.Context, project string) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := c.api.ListClusters(ctx, &pb.ListClustersRequest{Parent: parent(project, "-")})
	if err == nil {
		return nil
	}
	err = translate(err, project)
	switch environment.CodeOf(err) {
	case environment.CodeForbidden, environment.CodeNotFound:
		return &environment.Error{Code: environment.CodeForbidden, Message: c.refusal(project, err), Err: cause(err)}
	default:
		return err
	}
}

func (c *Client) refusal(project string, err error) string {
	reason := fmt.Sprintf("daskbot may not make clusters in the project %s, or there is no such project.", project)
	if apiDisabled(err) {
		reason = fmt.Sprintf("The Kubernetes Engine API is not enabled in the project %s.", project)
	}
	return reason + " Its owner can allow it with these commands:\n" + strings.Join(c.grants(project), "\n")
}

// sweepPermissions are what the clean-up of leftovers and the look at quotas
// need; the predefined roles that hold them all hold far more.
func sweepPermissions() string {
	permissions := []string{"compute.regions.get", "compute.projects.get", "compute.machineTypes.get",
		"compute.targetPools.use", "compute.healthChecks.use", "compute.httpHealthChecks.use",
		"compute.backendServices.use", "compute.addresses.use", "compute.networks.updatePolicy"}
	for _, kind := range environment.ResourceKinds() {
		for _, verb := range []string{"get", "list", "delete"} {
			permissions = append(permissions, "compute."+string(kind)+"."+verb)
		}
	}
	for _, kind := range []string{"regionBackendServices", "regionHealthChecks", "globalForwardingRules", "globalAddresses"} {
		permissions = append(permissions, "compute."+kind+".get", "compute."+kind+".delete")
	}
	return strings.Join(permissions, ",")
}

// grants are the commands, ready to be pasted. Acting as the nodes' account is
// asked for on that account alone, not on the project.
func (c *Client) grants(project string) []string {
	account := either(c.serviceAccount, "DASKBOT_SERVICE_ACCOUNT")
	member := "--member=serviceAccount:" + account
	nodes := either(c.defaults.NodeServiceAccount,
		fmt.Sprintf(`"$(gcloud projects describe %s --format='value(projectNumber)')-compute@developer.gserviceaccount.com"`, project))
	return []string{
		"gcloud services enable container.googleapis.com compute.googleapis.com --project=" + project,
		fmt.Sprintf("gcloud projects add-iam-policy-binding %s %s --role=roles/container.admin --condition=None", project, member),
		fmt.Sprintf("gcloud iam service-accounts add-iam-policy-binding %s --project=%s %s --role=roles/iam.serviceAccountUser", nodes, project, member),
		fmt.Sprintf("gcloud iam roles create daskbotSweep --project=%s --title=\"daskbot sweep\" --permissions=%s", project, sweepPermissions()),
		fmt.Sprintf("gcloud projects add-iam-policy-binding %s %s --role=projects/%s/roles/daskbotSweep --condition=None", project, member, project),
	}
}

// cause unwraps an *environment.Error to what it was made from, so that a new
// one does not repeat the old sentence.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
