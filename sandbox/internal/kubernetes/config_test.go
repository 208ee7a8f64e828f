package kubernetes

import (
	"log/slog"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	good := func() Config {
		all := map[string][]string{}
		for _, name := range Components {
			all[name] = []string{"/bin/true"}
		}
		return Config{StateDir: t.TempDir(), Binaries: all, Network: "127.77", Token: "t", Log: slog.New(slog.DiscardHandler)}
	}
	if _, err := New(good()); err != nil {
		t.Fatalf("a good configuration: %v", err)
	}
	tests := map[string]struct {
		edit func(*Config)
		want string
	}{
		"real nodes":       {func(c *Config) { c.Nodes = "real" }, "simulate"},
		"bad network":      {func(c *Config) { c.Network = "127.777" }, "127.777"},
		"missing program":  {func(c *Config) { delete(c.Binaries, schedulerName) }, schedulerName},
		"state not a path": {func(c *Config) { c.StateDir = "/dev/null/x" }, "/dev/null"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			test.edit(&cfg)
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New = %v; want an error that names %s", err, test.want)
			}
		})
	}
}
