package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/sandbox/internal/control"
)

func envCommand() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use: "env", Short: "Print what points gcloud, kubectl and helm at a running sandbox", Args: cobra.NoArgs,
		Long: "Print shell exports that point the real gcloud, kubectl and helm at a running sandbox:\n\n  eval \"$(daskbot-sandbox env)\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			endpoints, err := fetchEndpoints(cmd.Context(), addr)
			if err != nil {
				return err
			}
			return printEnv(cmd.OutOrStdout(), endpoints)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultSandboxAddr(), "where the sandbox listens (SANDBOX_ADDR)")
	return cmd
}

func fetchEndpoints(ctx context.Context, addr string) (control.Endpoints, error) {
	var e control.Endpoints
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/endpoints", nil)
	if err != nil {
		return e, fmt.Errorf("address %s: %w", addr, err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return e, fmt.Errorf("no sandbox answers at %s; start one with: daskbot-sandbox serve (%w)", addr, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if err := json.NewDecoder(answer.Body).Decode(&e); err != nil || e.GKERest == "" {
		return e, fmt.Errorf("what answers at %s is no sandbox", addr)
	}
	return e, nil
}

// printEnv prints the exports. The token file serves gcloud and, through the
// auth plugin, kubectl; a configuration and a kubeconfig of their own keep the
// user's untouched.
func printEnv(w io.Writer, e control.Endpoints) error {
	for _, v := range [][2]string{
		{"CLOUDSDK_CONFIG", e.Files.GcloudConfig},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", e.GKERest + "/"},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE", e.ServiceUsage + "/"},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER", e.ServiceUsage + "/"},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", e.Compute},
		{"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", e.Files.Token},
		{"CLOUDSDK_CORE_PROJECT", e.Project},
		{"CLOUDSDK_CORE_DISABLE_PROMPTS", "1"},
		{"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1"},
		{"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1"},
		{"KUBECONFIG", e.Files.Kubeconfig},
		{"SANDBOX_URL", e.Control},
		{"SANDBOX_CHARTS", e.Charts},
	} {
		if _, err := fmt.Fprintf(w, "export %s=%s\n", v[0], shellQuote(v[1])); err != nil {
			return err
		}
	}
	return nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
