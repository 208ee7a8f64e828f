package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

func newBackupCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything the daemon keeps to a file, while it runs",
		Long: "Write everything the daemon keeps to a new file, while it runs: an SQLite database of one\n" +
			"moment, whether the store is SQLite or PostgreSQL. Credentials in it stay encrypted with\n" +
			"store.key, which is not in it; without a key they are readable, so keep the file as safe.\n" +
			"With - the file is written to standard output, which is how it leaves a pod.",
		Example: "  daskbot backup /backup/daskbot-2026-11-24.db --config /etc/daskbot/daskbot.yaml\n" +
			"  kubectl exec deploy/daskbot -- /daskbot backup - --config /etc/daskbot/daskbot.yaml > daskbot.db",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := storeOf(file)
			if err != nil {
				return err
			}
			if args[0] == standard {
				return backupTo(cmd.Context(), cfg, cmd.OutOrStdout())
			}
			if err := store.Backup(cmd.Context(), cfg, args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Written to %s.\n", args[0])
			return err
		},
	}
	return withConfig(cmd, &file)
}

func newRestoreCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Read a backup into an empty store",
		Long: "Read a backup into the store of the configuration, which must be empty: a new file, or a new\n" +
			"PostgreSQL database. Either everything arrives or nothing. Start the daemon afterwards; it\n" +
			"looks at every environment, and the orphan sweep finds what was made after the backup. With -\n" +
			"the backup is read from standard input.",
		Example: "  daskbot restore /backup/daskbot-2026-11-24.db --config /etc/daskbot/daskbot.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := storeOf(file)
			if err != nil {
				return err
			}
			if args[0] == standard {
				copied, err := restoreFrom(cmd.Context(), cfg, cmd.InOrStdin())
				return report(cmd, copied, err)
			}
			copied, err := store.Restore(cmd.Context(), cfg, args[0])
			return report(cmd, copied, err)
		},
	}
	return withConfig(cmd, &file)
}

// standard stands for standard input or output where a file is named.
const standard = "-"

// backupTo makes the backup beside everything else and then hands it out: it is
// of one moment, and whole, before its first byte leaves.
func backupTo(ctx context.Context, cfg store.Config, out io.Writer) error {
	return besides(func(file string) error {
		if err := store.Backup(ctx, cfg, file); err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("read the backup: %w", err)
		}
		_, err = io.Copy(out, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("hand the backup out: %w", err)
		}
		return nil
	})
}

// restoreFrom takes all of a backup before it reads any.
func restoreFrom(ctx context.Context, cfg store.Config, in io.Reader) (copied store.Copied, err error) {
	err = besides(func(file string) error {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("take the backup: %w", err)
		}
		n, err := io.Copy(f, in)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("take the backup: %w", err)
		}
		if n == 0 {
			return environment.Invalid("FILE", "Nothing came in; give the backup on standard input.")
		}
		copied, err = store.Restore(ctx, cfg, file)
		return err
	})
	return copied, err
}

// besides gives the path of a file that is gone afterwards.
func besides(use func(file string) error) error {
	dir, err := os.MkdirTemp("", "daskbot-")
	if err != nil {
		return fmt.Errorf("make room for the backup: %w", err)
	}
	return errors.Join(use(filepath.Join(dir, "daskbot.db")), os.RemoveAll(dir))
}

func newMigrateCommand() *cobra.Command {
	var file string
	sqlite := &cobra.Command{
		Use:   "sqlite-to-postgres FILE",
		Short: "Copy an SQLite store into an empty PostgreSQL database",
		Long: "Copy the SQLite file of a daemon that is stopped into the PostgreSQL database that the\n" +
			"configuration names, which must be empty, and compare what arrived. Either everything arrives\n" +
			"or nothing; after a failure run it again. The file is left as it is.",
		Example: "  daskbot migrate sqlite-to-postgres /var/lib/daskbot/daskbot.db --config /etc/daskbot/daskbot.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := storeOf(file)
			if err != nil {
				return err
			}
			if strings.HasPrefix(to.URL, "sqlite:") {
				return environment.Invalid("store.url", "The configuration's store.url is SQLite; name the PostgreSQL database to copy to.")
			}
			copied, err := store.Migrate(cmd.Context(), store.Config{URL: "sqlite:" + args[0]}, to)
			return report(cmd, copied, err)
		},
	}
	cmd := client.Parent(cobra.Command{Use: "migrate", Short: "Move the daemon to another kind of store"})
	cmd.AddCommand(withConfig(sqlite, &file))
	return cmd
}

// withConfig adds the flag that names the configuration.
func withConfig(cmd *cobra.Command, file *string) *cobra.Command {
	cmd.Flags().StringVar(file, "config", "", "configuration file (see configs/example.yaml)")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

func storeOf(file string) (store.Config, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return store.Config{}, err
	}
	return storeConfig(cfg), nil
}

func storeConfig(cfg *config.Config) store.Config {
	return store.Config{URL: cfg.Store.URL, Workers: cfg.Limits.Workers, Key: cfg.Store.KeyBytes(), OldKeys: cfg.Store.OldKeyBytes()}
}

func report(cmd *cobra.Command, copied store.Copied, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d rows were copied and compared: %d environments, %d clusters, %d events, %d people.\n",
		copied.Total(), copied["environments"], copied["clusters"], copied["events"], copied["people"])
	return err
}
