package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
	"github.com/daskbot/daskbot/internal/bot"
	"github.com/daskbot/daskbot/internal/config"
)

func newSlackCommand() *cobra.Command {
	cmd := client.Parent(cobra.Command{Use: "slack", Short: "Set up the Slack application (docs/SLACK.md)"})
	cmd.AddCommand(newSlackManifestCommand(), newSlackCheckCommand())
	return cmd
}

func newSlackManifestCommand() *cobra.Command {
	var file, url, redirect string
	var socket bool
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print the app manifest to paste at https://api.slack.com/apps",
		Long: "Print the app manifest to paste at https://api.slack.com/apps. Slack reaches daskbot at --url or at\n" +
			"server.externalUrl of --config; with --socket, or slack.appToken in the file, daskbot connects to Slack instead.",
		Example: "  daskbot slack manifest --url https://daskbot.example.edu\n  daskbot slack manifest --socket",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				cfg, err := config.Load(file)
				if err != nil {
					return err
				}
				if cfg.Slack.ClientID != "" {
					redirect = strings.TrimRight(cfg.Server.ExternalURL, "/") + bot.OAuthPath
				}
				socket = socket || !cfg.Slack.AppToken.IsZero()
				if url == "" {
					url = cfg.Server.ExternalURL
				}
			}
			if socket {
				url = ""
			} else if url == "" {
				return errors.New("say where Slack reaches daskbot with --url or --config, or that it need not with --socket")
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), bot.Manifest(url, redirect))
			return err
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file to take the address from")
	cmd.Flags().StringVar(&url, "url", "", "address under which Slack reaches daskbot")
	cmd.Flags().BoolVar(&socket, "socket", false, "for Socket Mode")
	return cmd
}

func newSlackCheckCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Ask Slack whether tokens and scopes work, and say what is missing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			if !cfg.Slack.Configured() {
				return errors.New("slack.botToken is not set in " + file + "; docs/SLACK.md says how to get one")
			}
			missing := 0
			for _, f := range bot.Check(cmd.Context(), botConfig(cfg)) {
				mark := "ok     "
				switch {
				case f.Later:
					mark = "LATER  "
				case !f.OK:
					mark = "MISSING"
					missing++
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", mark, f.Sentence); err != nil {
					return err
				}
			}
			if missing > 0 {
				return errors.New("the Slack application is not set up completely")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

// botConfig is what the configuration says about Slack.
func botConfig(cfg *config.Config) bot.Config {
	return bot.Config{Directory: cfg, BotToken: cfg.Slack.BotToken, SigningSecret: cfg.Slack.SigningSecret,
		ClientID: cfg.Slack.ClientID, ClientSecret: cfg.Slack.ClientSecret, ExternalURL: cfg.Server.ExternalURL, Workspaces: cfg.Slack.Workspaces,
		AppToken: cfg.Slack.AppToken, APIURL: cfg.Slack.APIURL, Admit: cfg.Slack.Members == config.MembersAll}
}
