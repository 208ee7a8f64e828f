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

// Project is who pays when neither a person nor a course has a project.
func (c *Config) Project() string { return c.GKE.Project }

// Policy is the default policy.
func (c *Config) Policy() environment.Policy { return c.Defaults }

// known reports whether the file defines a course. No course ("") always is.
func (c *Config) known(course string) bool {
	_, ok := c.course(course)
	return ok || course == ""
}

// Class finds a course with its members; CodeNotFound for an unknown id.
func (c *Config) Class(_ context.Context, id string) (environment.Course, error) {
	found, ok := c.course(id)
	if !ok {
		return environment.Course{}, environment.Errorf(environment.CodeNotFound, "The configuration names no course %q under courses.", id)
	}
	return c.class(found), nil
}

// Classes lists the courses, by id.
func (c *Config) Classes(context.Context) ([]environment.Course, error) {
	all := make([]environment.Course, 0, len(c.Courses))
	for _, k := range c.Courses {
		all = append(all, c.class(k))
	}
	slices.SortFunc(all, func(a, b environment.Course) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// class is a course as the domain knows it, with its schedules.
func (c *Config) class(k Course) environment.Course {
	course := environment.Course{ID: k.ID, Title: k.Title, Timezone: k.Timezone, Profile: k.Profile, Project: k.Project, Policy: k.Policy, Budget: k.Budget,
		Staff: environment.CleanSubjects(k.Staff), Holidays: slices.Clone(k.Holidays), LMS: slices.Clone(k.LMS), Origin: environment.OriginConfiguration, File: c.file}
	course.EndsAt, _ = environment.ParseEnd(k.EndsAt, k.Timezone) // checked when the file was loaded
	for _, n := range k.Notifications {
		course.Notifications = append(course.Notifications, environment.Subscription{URL: n.URL, Events: slices.Clone(n.Events)})
	}
	for _, m := range k.Members {
		member, _ := m.member().Check() // so was this
		member.Subject = cmp.Or(member.Subject, member.Email)
		course.Members = append(course.Members, member)
	}
	for _, s := range c.Schedules {
		if s.Course == k.ID {
			course.Schedules = append(course.Schedules, environment.Schedule{Name: s.Name, Course: k.ID, Timezone: k.Timezone,
				Action: environment.ScheduleAction(s.Action), Cron: s.Cron, Spread: s.Spread, NotOn: slices.Clone(s.NotOn)})
		}
	}
	return course
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
