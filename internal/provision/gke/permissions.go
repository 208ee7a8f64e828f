package gke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/oauth2"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/daskbot/daskbot/configs/gcp"
	"github.com/daskbot/daskbot/internal/environment"
)

// objectPermissions stand for the role for objects in clusters: who has these
// has it, and Resource Manager is asked for a hundred at once at most.
var objectPermissions = []string{"container.namespaces.create", "container.secrets.create", "container.clusterRoleBindings.create", "container.pods.portForward"}

// Missing lists the permissions in the project that daskbot lacks, by asking
// Resource Manager; that costs nothing and changes nothing. CodeForbidden means
// that it may not even ask, or that its API is not enabled; CodeUnavailable that
// nobody answered. endpoint replaces Google's, "" for none.
func (c *Client) Missing(ctx context.Context, endpoint, project string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	opts := []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: &oauth2.Transport{Source: c.tokens}})}
	if endpoint != "" {
		opts = append(opts, option.WithEndpoint(endpoint))
	}
	service, err := cloudresourcemanager.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to Resource Manager: %w", err)
	}
	need := append(gcp.Clusters().Permissions, objectPermissions...)
	have, err := service.Projects.TestIamPermissions(project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: need}).Context(ctx).Do()
	if err != nil {
		return nil, c.notAsked(project, err)
	}
	return slices.DeleteFunc(need, func(p string) bool { return slices.Contains(have.Permissions, p) }), nil
}

func (c *Client) notAsked(project string, err error) error {
	var answer *googleapi.Error
	if errors.As(err, &answer) && (answer.Code == http.StatusForbidden || answer.Code == http.StatusNotFound) {
		return &environment.Error{Code: environment.CodeForbidden, Err: err, Message: fmt.Sprintf(
			"What daskbot may do in the project %s cannot be asked; enable the API with: gcloud services enable cloudresourcemanager.googleapis.com --project=%s", project, project)}
	}
	return &environment.Error{Code: environment.CodeUnavailable, Err: err, Message: "Google Cloud does not say what daskbot may do at the moment."}
}

// Grants are the commands that give daskbot what it needs in a project.
func (c *Client) Grants(project string) []string { return c.grants(project) }
