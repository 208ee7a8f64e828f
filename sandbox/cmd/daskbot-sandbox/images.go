package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/sandbox/internal/images"
	"github.com/daskbot/daskbot/sandbox/internal/registry"
)

// defaultImages is where built images are kept, for all sandboxes of a
// checkout.
const defaultImages = ".daskbot/images"

func imagesCommand() *cobra.Command {
	var dir, controlplane string
	cmd := &cobra.Command{Use: "images", Short: "The container images that pods on real nodes run"}
	cmd.PersistentFlags().StringVar(&dir, "images", defaultImages, "directory of the built images")
	build := &cobra.Command{
		Use: "build [IMAGE]...", Short: "Build what is missing or out of date, as root",
		Long: "Build the images, or only those named, from Debian, PyPI and npm packages. A build that was stopped goes on where it was.",
		RunE: func(cmd *cobra.Command, names []string) error {
			return buildImages(cmd, dir, controlplane, names)
		},
	}
	build.Flags().StringVar(&controlplane, "controlplane", "", "the daskbot-controlplane binary (default: beside this program)")
	list := &cobra.Command{
		Use: "list", Short: "Say what is built and which names it answers to", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listImages(cmd.OutOrStdout(), dir) },
	}
	cmd.AddCommand(build, list)
	return cmd
}

func buildImages(cmd *cobra.Command, dir, controlplane string, names []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if controlplane == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		controlplane = filepath.Join(filepath.Dir(self), "daskbot-controlplane")
	}
	return images.New(images.Config{
		Dir: dir, Programs: map[string]string{"daskbot-controlplane": controlplane}, Progress: cmd.OutOrStdout(),
	}).Build(cmd.Context(), names...)
}

func listImages(out io.Writer, dir string) error {
	all, err := images.Open(dir).List()
	if err != nil {
		return err
	}
	names := registry.Names()
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "IMAGE\tMB\tANSWERS TO")
	total, counted := int64(0), map[string]bool{}
	for _, image := range all {
		size := "not built"
		if image.Built {
			var bytes int64
			for _, part := range image.Layers {
				bytes += part.Bytes
				if !counted[part.Digest] {
					total, counted[part.Digest] = total+part.Bytes, true
				}
			}
			size = fmt.Sprint(bytes >> 20)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", image.Name, size, strings.Join(names[image.Name], " "))
	}
	fmt.Fprintf(w, "all, shared layers once\t%d\t\n", total>>20)
	return w.Flush()
}
