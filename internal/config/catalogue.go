package config

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"

	"github.com/daskbot/daskbot/internal/environment"
)

var (
	_ environment.Catalogue = (*Config)(nil)
	_ environment.Given     = (*Config)(nil)
	_ environment.Roster    = (*Config)(nil)
)

// Profile finds a profile by name.
func (c *Config) Profile(name string) (environment.Profile, bool) {
	p, ok := c.profiles[name]
	return p, ok
}

// Profiles lists every profile by name: built-in, from files and defined in
// the configuration.
func (c *Config) Profiles() []environment.Profile {
	all := make([]environment.Profile, 0, len(c.profiles))
	for _, name := range slices.Sorted(maps.Keys(c.profiles)) {
		all = append(all, c.profiles[name])
	}
	return all
}

// DefaultProfile is the one `up` takes when none is named.
func (c *Config) DefaultProfile() string { return c.Recipes.Default }

// Project is who pays for a course's environments, or by default.
func (c *Config) Project(course string) string {
	if found, ok := c.course(course); ok && found.Project != "" {
		return found.Project
	}
	return c.GKE.Project
}

// Policy is the default policy.
func (c *Config) Policy() environment.Policy { return c.Defaults }

// CoursePolicy is a course's own policy, all zero for an unknown course; it
// goes between the profile's and the default.
func (c *Config) CoursePolicy(course string) environment.Policy {
	found, _ := c.course(course)
	return found.Policy
}

// CourseProfile is what a course's students get when they name no profile, ""
// when the course leaves that to the default.
func (c *Config) CourseProfile(course string) string {
	found, _ := c.course(course)
	return found.Profile
}

// Course reports whether a course is known. No course ("") always is.
func (c *Config) Course(id string) bool {
	_, ok := c.course(id)
	return ok || id == ""
}

// Staff are the subjects who teach a course.
func (c *Config) Staff(course string) []string {
	found, _ := c.course(course)
	return found.Staff
}

// Class finds a course with its members; CodeNotFound for an unknown id.
func (c *Config) Class(_ context.Context, id string) (environment.Course, error) {
	found, ok := c.course(id)
	if !ok {
		return environment.Course{}, environment.Errorf(environment.CodeNotFound, "The configuration names no course %q under courses.", id)
	}
	return class(found), nil
}

// Classes lists the courses, by id.
func (c *Config) Classes(context.Context) ([]environment.Course, error) {
	all := make([]environment.Course, 0, len(c.Courses))
	for _, k := range c.Courses {
		all = append(all, class(k))
	}
	slices.SortFunc(all, func(a, b environment.Course) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func class(k Course) environment.Course {
	return environment.Course{ID: k.ID, Title: k.Title, Timezone: k.Timezone, Profile: k.Profile,
		Staff: slices.Clone(k.Staff), Members: slices.Clone(k.Members)}
}

func (c *Config) course(id string) (Course, bool) {
	i := slices.IndexFunc(c.Courses, func(k Course) bool { return k.ID == id })
	if i < 0 {
		return Course{}, false
	}
	return c.Courses[i], true
}

// Projects lists every project this installation may have made something in
// by configuration; persons' linked projects come on top.
func (c *Config) Projects() []string {
	all := append([]string{c.GKE.Project}, c.GKE.Projects...)
	for _, k := range c.Courses {
		all = append(all, k.Project)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(p string) bool { return p == "" })
}

// Target says how to reach a cluster named under `clusters:`. Its error is
// CodeNotFound for an unknown name and CodeUnavailable when the kubeconfig
// cannot be read now.
func (c *Config) Target(name string) (environment.Target, error) {
	given, ok := c.Clusters[name]
	if !ok {
		return environment.Target{}, environment.Errorf(environment.CodeNotFound,
			"The configuration names no cluster %q under clusters.", name)
	}
	target := environment.Target{Key: "given/" + name, InCluster: given.InCluster}
	if given.InCluster {
		return target, nil
	}
	kubeconfig, err := os.ReadFile(given.Kubeconfig)
	if err != nil {
		return environment.Target{}, &environment.Error{Code: environment.CodeUnavailable, Err: err,
			Message: "The access data of the cluster that this profile runs on cannot be read."}
	}
	target.Kubeconfig = kubeconfig
	return target, nil
}
