package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// ownAtOnce is how many clusters people may have to themselves at once.
	// Each has a real control plane: with those of the classes it is what a
	// machine of two CPUs bears.
	ownAtOnce = 6
	// classSize is how many people share a cluster.
	classSize = 50
	// hubsOf is the class whose people have hubs, which have volumes, unlike
	// Dask by itself; they are one in ten.
	hubsOf = "class-hubs"
)

// makeClasses gives the daemons a configuration with profiles for the classes.
// Their clusters go soon when nobody has anything on them: in the end nothing
// is to be left in the cloud.
func (c *turmoil) makeClasses() error {
	text, err := os.ReadFile(c.config)
	if err != nil {
		return err
	}
	var define strings.Builder
	define.WriteString("profiles:\n  define:\n")
	profile := func(name, extends string) {
		fmt.Fprintf(&define, "    %s: {extends: %s, cluster: {idleMinutes: 2, maxNodes: 40}}\n", name, extends)
	}
	for n := range c.classes() {
		profile(className(n), "dask-shared")
	}
	profile(hubsOf, "daskhub-shared")
	before, after, found := strings.Cut(string(text), "profiles:\n")
	if !found {
		return fmt.Errorf("%s has no profiles", c.config)
	}
	c.config = filepath.Join(c.dir, "daskbot.yaml")
	return os.WriteFile(c.config, []byte(before+define.String()+after), 0o600)
}

func (c *turmoil) classes() int { return (c.people + classSize - 1) / classSize }

func className(n int) string { return fmt.Sprintf("class-%d", n+1) }

// shares is whose cluster somebody shares.
func (c *turmoil) shares(n int) string {
	if n%10 == 6 {
		return hubsOf
	}
	return className(n % c.classes())
}

// profile is what somebody asks for: of ten people one has a cluster of their
// own when there is room for it, by turns with Dask and with a hub; the others
// share those of the classes. leave gives the room back.
func (c *turmoil) profile(n, life int) (name string, leave func()) {
	if n%10 != 9 {
		return c.shares(n), func() {}
	}
	select {
	case c.own <- struct{}{}:
		c.counts("clusters of one's own", 1)
		return []string{"dask", "daskhub"}[(n/10+life)%2], func() { <-c.own }
	default:
		return c.shares(n), func() {}
	}
}

// where says who is on which clusters.
func (c *turmoil) where() string {
	return fmt.Sprintf("chaos, clusters: %d of classes of up to %d, one of hubs, and at most %d of one's own at a time, since each has a real control plane",
		c.classes(), classSize, ownAtOnce)
}
