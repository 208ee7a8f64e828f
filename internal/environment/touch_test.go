package environment

import (
	"strings"
	"testing"
)

func TestKeepURLRenders(t *testing.T) {
	e := Environment{ID: "kq7wm2xd", Home: "https://daskbot.example.edu", Secrets: Secrets{SecretKeep: NewSecret("s3cret")},
		Recipe: Profile{Releases: []Release{{Values: map[string]any{"env": "${keep.url}"}}}}}
	if got := Render(e)[0].Values["env"]; got != "https://daskbot.example.edu/keep/kq7wm2xd/s3cret" {
		t.Errorf("got %v", got)
	}
	e.Secrets = nil // made by an earlier version
	if got := Render(e)[0].Values["env"]; got != "" {
		t.Errorf("got %v; want nothing, for the notebook to see", got)
	}
	if !strings.Contains(strings.Join(PlaceholderNames(), " "), "keep.url") {
		t.Error("keep.url is not offered to profiles")
	}
}
