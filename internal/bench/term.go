package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// term replays five terms of a class against the reaper's rules.
func term(ctx context.Context, s *stage) (results, error) {
	var values map[string]float64
	err := s.played(ctx, &values, "-json")
	return results{values: values}, err
}

// probing runs the benchmark of the package that looks, at two sizes.
func probing(ctx context.Context, s *stage) (results, error) {
	ten, err := s.probed(ctx, 10_000)
	if err != nil {
		return results{}, err
	}
	twenty, err := s.probed(ctx, 20_000)
	if err != nil {
		return results{}, err
	}
	return results{
		values: map[string]float64{"reaper.probe_10k_seconds": ten["s"], "reaper.probe_10k_requests": ten["requests"], "reaper.probe_10k_mb": ten["MB"]},
		notes: []string{fmt.Sprintf("looking at 20,000 took %.1f s, %.0f requests and %.0f MB: twice as many, %.1f times as long",
			twenty["s"], twenty["requests"], twenty["MB"], twenty["s"]/ten["s"])},
	}, nil
}

// probed runs it for n environments; what it reports is "VALUE UNIT" in the
// line of the benchmark.
func (s *stage) probed(ctx context.Context, n int) (map[string]float64, error) {
	out, err := exec.CommandContext(ctx, s.program("daskbot-activity.test"), "-test.run", "^$", "-test.bench", "^BenchmarkProbe$", //nolint:gosec // our own program
		"-test.benchtime", strconv.Itoa(n)+"x").Output()
	if err != nil {
		return nil, fmt.Errorf("daskbot-activity.test: %w", err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "BenchmarkProbe") {
			continue
		}
		fields := strings.Fields(line)
		for i := 2; i+1 < len(fields); i += 2 {
			if values[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
				return nil, fmt.Errorf("%q is not a benchmark's line: %w", line, err)
			}
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("no benchmark in %q", out)
	}
	return values, nil
}

// judging measures the rules alone, and how they grow.
func judging(ctx context.Context, s *stage) (results, error) {
	var ten, forty struct{ Seconds, MB float64 }
	if err := s.played(ctx, &ten, "-judge", "10000"); err != nil {
		return results{}, err
	}
	if err := s.played(ctx, &forty, "-judge", "40000"); err != nil {
		return results{}, err
	}
	return results{
		values: map[string]float64{"reaper.judge_10k_seconds": ten.Seconds, "reaper.judge_10k_mb": ten.MB},
		notes:  []string{fmt.Sprintf("judging 40,000 took %.3f s and %.0f MB: four times as many, %.1f times as long", forty.Seconds, forty.MB, forty.Seconds/ten.Seconds)},
	}, nil
}

// played runs the term program, whose answer is JSON.
func (s *stage) played(ctx context.Context, into any, args ...string) error {
	out, err := exec.CommandContext(ctx, s.program("daskbot-term"), args...).Output() //nolint:gosec // our own program
	if err != nil {
		return fmt.Errorf("daskbot-term: %w", err)
	}
	return json.Unmarshal(out, into)
}
