package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // this is main
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal gets its default effect
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run carries out the benchmarks that the command line names, all when it
// names none, and writes what came out even when one of them failed.
func run(ctx context.Context) error {
	out := flag.String("out", ".daskbot/bench/bench.json", "where to write the numbers")
	root := flag.String("root", ".", "the checkout, with its programs in bin/")
	verbose := flag.Bool("v", false, "print what the numbers are made of")
	flag.Usage = help
	flag.Parse()
	chosen, err := choose(flag.Args())
	if err != nil {
		return err
	}
	at := time.Now().UTC()
	all := results{values: map[string]float64{}}
	var failures error
	for _, b := range chosen {
		fmt.Printf("%s: %s (about %s)\n", b.name, b.does, b.takes)
		got, err := carryOut(ctx, b, *root, *verbose)
		all.add(got)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", b.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	printTable(os.Stdout, chosen, all)
	return errors.Join(failures, writeJSON(*out, at, all.values))
}

// carryOut runs one benchmark on a stage of its own.
func carryOut(ctx context.Context, b benchmark, root string, verbose bool) (got results, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("it took longer than %s", b.limit))
	defer cancel()
	s, err := newStage(root, verbose)
	if err != nil {
		return results{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	got, err = b.run(ctx, s)
	if n, others := runtime.NumCPU(), loadAverage(); others > float64(n) {
		got.notes = append(got.notes, fmt.Sprintf("%s ended at a load average of %.1f on %d CPUs: others use this machine, and the numbers show it", b.name, others, n))
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	return got, err
}

func help() {
	var text strings.Builder
	text.WriteString("Benchmarks, and what they measure:\n")
	for _, b := range benchmarks {
		text.WriteString("  " + b.name + ": " + b.does + "\n")
		for _, m := range b.metrics {
			text.WriteString("      " + m.name + "\n")
		}
	}
	w := flag.CommandLine.Output()
	_, _ = io.WriteString(w, "usage: bench [flags] [benchmark or metric…]\n")
	flag.PrintDefaults()
	_, _ = io.WriteString(w, text.String())
}
