//go:build !linux || !amd64

package main

import (
	"errors"
	"os/exec"
	"time"
)

// clocked says that the clock of a process cannot be set wrong here.
const clocked = false

type clock struct{}

func startClocked(cmd *exec.Cmd) (*clock, error) { return &clock{}, cmd.Start() }

func (*clock) set(time.Duration) error {
	return errors.New("the clock of a process can only be set wrong on Linux, amd64")
}
