package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every cron line of a configuration is checked by whoever runs it, before the
// daemon starts.
func TestEveryCronLineIsChecked(t *testing.T) {
	for path, text := range map[string]string{
		"reaper.schedule":       "reaper: {schedule: \"99 * * * *\"}",
		"reaper.orphanSchedule": "reaper: {orphanSchedule: \"99 * * * *\"}",
		"lms.rosterSchedule":    "lms: {rosterSchedule: \"99 * * * *\"}",
		"schedules[0].cron":     "courses: [{id: a}]\nschedules: [{name: s, course: a, cron: \"99 * * * *\", action: up}]",
	} {
		file := filepath.Join(t.TempDir(), "daskbot.yaml")
		if err := os.WriteFile(file, []byte("gke: {project: my-class-2026, installation: a}\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadConfig(file); err == nil || !strings.Contains(err.Error(), path+":") {
			t.Errorf("%s: got %v; want a problem there", path, err)
		}
	}
}
