package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
)

// term replays five terms of a class against the reaper's rules.
func term(ctx context.Context, s *stage) (results, error) {
	var values map[string]float64
	err := s.played(ctx, &values, "-json")
	return results{values: values}, err
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
