package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
)

// A script that misspells what it wants is told so: groups of commands do
// nothing by themselves.
func TestGroupsAreWrongUsageByThemselves(t *testing.T) {
	for line, says := range map[string]string{
		"config":                    "Usage: daskbot config check",
		"config chekc x.yaml":       `Did you mean "check"?`,
		"slack":                     "Usage: daskbot slack",
		"slack manifset":            `Did you mean "manifest"?`,
		"migrate":                   "Usage: daskbot migrate",
		"migrate sqlite-to-postgre": `Did you mean "sqlite-to-postgres"?`,
		"reaper plann":              `Did you mean "plan"?`,
		"nothing":                   "unknown command",
	} {
		var out bytes.Buffer
		w := client.World{Out: &out, Err: &out}
		code := client.Execute(t.Context(), newRoot(w), strings.Fields(line), w)
		if code != client.ExitUsage || !strings.Contains(out.String(), says) {
			t.Errorf("%s: got exit %d, %s; want %d and %q", line, code, out.String(), client.ExitUsage, says)
		}
	}
}
