package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
)

// newRoot builds the tree of commands.
func newRoot(w client.World) *cobra.Command {
	root := &cobra.Command{
		Use:   "daskbot",
		Short: "Dask environments on Kubernetes, on request",
		Long: "daskbot gives every student of a class a Dask environment on Kubernetes on request, and makes\n" +
			"sure that nobody pays for one that is not used. This program is both the daemon (`serve`) and\n" +
			"its client.\n\n" +
			"The client reads DASKBOT_URL (default http://127.0.0.1:8080) and DASKBOT_TOKEN (default the\n" +
			"token in $DASKBOT_STATE/admin.token or .daskbot/admin.token).\n" +
			"It exits 0 done, 1 refused or failed, 2 wrong usage, 3 not found, 4 daskbot does not answer.",
		Example: "  daskbot up --profile daskhub --wait    make an environment and wait for it\n" +
			"  daskbot status                         what you have\n" +
			"  daskbot credentials kq7wm2xd           how to log in\n" +
			"  daskbot down kq7wm2xd --wait           take it away again",
	}
	client.Add(root, w)
	root.AddCommand(newServeCommand(), newConfigCommand(), newDoctorCommand(), newSlackCommand(), newBackupCommand(), newRestoreCommand(), newMigrateCommand(), newVersionCommand())
	return root
}

// realWorld is the one outside of tests.
func realWorld() client.World {
	return client.World{
		Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, ReadFile: os.ReadFile, Now: time.Now, Zone: time.Local,
		HTTP:  &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}},
		Width: terminalWidth,
		Ask:   asker(),
		Open:  browser(),
	}
}

// asker asks on the terminal; nil when standard input is none.
func asker() func(string) (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	return func(question string) (string, error) {
		_, _ = fmt.Fprint(os.Stderr, question) // an error would show when reading
		return bufio.NewReader(os.Stdin).ReadString('\n')
	}
}

// terminalWidth is 0 when standard error is no terminal.
func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 0
	}
	return max(width, 40)
}

// browser is nil where there is no person at a screen.
func browser() func(ctx context.Context, address string) error {
	name := "xdg-open"
	switch {
	case !term.IsTerminal(int(os.Stdout.Fd())):
		return nil
	case runtime.GOOS == "darwin":
		name = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil
	}
	return func(ctx context.Context, address string) error {
		if err := exec.CommandContext(ctx, path, address).Run(); err != nil {
			return errors.Join(errors.New("the browser did not open; the address is above"), err)
		}
		return nil
	}
}
