package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// request is what is asked for on the command line.
type request struct {
	program
	platforms []v1.Platform
	out       string // folder of the layout and the bills of materials
	push      string // registry/repository, "" for none
}

func run(ctx context.Context, args []string, out io.Writer) error {
	r, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	result, err := build(ctx, r)
	if err != nil {
		return err
	}
	if err := result.write(r.out); err != nil {
		return err
	}
	if err := result.describe(out); err != nil {
		return err
	}
	if r.push == "" {
		return nil
	}
	return result.publish(ctx, r.push, out)
}

func parse(args []string, out io.Writer) (request, error) {
	var r request
	var platforms, created string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&r.source, "source", ".", "folder of the module")
	flags.StringVar(&r.pkg, "package", "./cmd/daskbot", "the program")
	flags.StringVar(&r.version, "version", "dev", "version to stamp, and tag")
	flags.StringVar(&r.revision, "revision", "", "commit it is made from")
	flags.StringVar(&created, "created", "0", "time of that commit, in Unix seconds")
	flags.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64", "what to build for")
	flags.StringVar(&r.out, "out", "dist", "folder to write to")
	flags.StringVar(&r.push, "push", "", "repository to publish in, such as europe-west1-docker.pkg.dev/PROJECT/daskbot/daskbot")
	if err := flags.Parse(args); err != nil {
		return r, err
	}
	seconds, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return r, fmt.Errorf("--created: %w", err)
	}
	r.created = time.Unix(seconds, 0).UTC()
	for _, text := range strings.Split(platforms, ",") {
		p, err := v1.ParsePlatform(text)
		if err != nil {
			return r, fmt.Errorf("--platforms: %w", err)
		}
		r.platforms = append(r.platforms, *p)
	}
	return r, nil
}
