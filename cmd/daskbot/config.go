package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
)

func newConfigCommand() *cobra.Command {
	cmd := client.Parent(cobra.Command{Use: "config", Short: "Work with the daemon's configuration file"})
	cmd.AddCommand(&cobra.Command{
		Use:     "check FILE",
		Short:   "Check a configuration file and report everything that is wrong with it",
		Example: "  daskbot config check /etc/daskbot/daskbot.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			for _, sentence := range cfg.Idle() {
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), "note: "+sentence)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is fine: %d profiles, %d courses.\n", args[0], len(cfg.Profiles()), len(cfg.Courses))
			return err
		},
	})
	return cmd
}
