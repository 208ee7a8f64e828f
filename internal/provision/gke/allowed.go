package gke

import (
	"context"
	"errors"
	"fmt"
	"strings"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/configs/gcp"
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
	unknown := status.Code(err) == codes.Unauthenticated // no role would help
	err = translate(err, project)
	if unknown {
		return err
	}
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

// grants are the commands, ready to be pasted into a shell: what docs/INSTALL.md
// asks for, and nothing more. Roles are made or brought up to date, whichever
// it takes. Acting as the nodes' account is asked for on that account alone.
func (c *Client) grants(project string) []string {
	member := "--member=serviceAccount:" + either(c.serviceAccount, "DASKBOT_SERVICE_ACCOUNT")
	commands := []string{"gcloud services enable container.googleapis.com compute.googleapis.com --project=" + project}
	for _, role := range []gcp.Role{gcp.Clusters(), gcp.Objects()} {
		commands = append(commands,
			fmt.Sprintf("for do in create update; do gcloud iam roles $do %s --project=%s --quiet --stage=GA --title=%q --permissions=\"$(echo %s | tr ' ' ,)\" && break; done",
				role.ID, project, role.Title, role.Braces()),
			fmt.Sprintf("gcloud projects add-iam-policy-binding %s %s --role=projects/%s/roles/%s --condition=None", project, member, project, role.ID))
	}
	return append(commands, c.nodeGrants(project, member)...)
}

// nodeGrants are those for the account that nodes act as: one of their own in
// the project, or its default one where the configuration names none.
func (c *Client) nodeGrants(project, member string) []string {
	nodes := c.nodeAccount(project)
	if nodes == "" {
		nodes = fmt.Sprintf(`"$(gcloud projects describe %s --format='value(projectNumber)')-compute@developer.gserviceaccount.com"`, project)
		return []string{actAs(nodes, project, member)}
	}
	name, _, _ := strings.Cut(nodes, "@")
	return []string{
		fmt.Sprintf(`gcloud iam service-accounts create %s --project=%s --display-name="Nodes of Dask environments"`, name, project),
		fmt.Sprintf("gcloud projects add-iam-policy-binding %s --member=serviceAccount:%s --role=roles/container.defaultNodeServiceAccount --condition=None", project, nodes),
		actAs(nodes, project, member),
	}
}

func actAs(account, project, member string) string {
	return fmt.Sprintf("gcloud iam service-accounts add-iam-policy-binding %s --project=%s %s --role=roles/iam.serviceAccountUser", account, project, member)
}

// cause unwraps an *environment.Error to what it was made from, so that a new
// one does not repeat the old sentence.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
