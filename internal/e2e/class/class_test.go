package class

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/daskbot/daskbot/internal/environment"
)

// students is how many are on the roster when the course is applied.
const students = 120

// TestAClassOf120 applies a course from its file, lets its schedule start and
// end a lesson around a roster that hooks change, and adds up what it cost.
func TestAClassOf120(t *testing.T) {
	for _, placement := range []environment.Placement{environment.Dedicated, environment.Shared} {
		t.Run(string(placement), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lesson(open(t, placement)) })
		})
	}
}

// document is the course's file, but for its members.
const document = `
id: de
title: Data engineering
timezone: UTC
budget: 1000
policy: {maxPerCourse: %d, grace: 15m}
schedules:
  - {name: begin, action: up, cron: "35 7 * * *", spread: 10m}
  - {name: end, action: down, cron: "0 9 * * *"}
members:
`

func lesson(s *school) {
	file := fmt.Sprintf(document, students+1)
	for i := range students {
		file += "  - " + student(i) + "\n"
	}
	if said := s.daskbot(file, "course", "apply", "de.yaml"); !strings.Contains(said, student(students-1)) {
		s.Fatalf("apply says %s; want who joins", said)
	}
	s.until(today(6, 0))
	for range 2 { // a platform repeats itself
		s.hook("msg_1", "member.added", `{"course":"de","user":{"email":"late@example.edu","id":"4711"}}`)
	}
	if n := len(s.all(s.Context())); n > 0 {
		s.Fatalf("%d environments before class; a roster starts none", n)
	}

	s.until(today(7, 59))
	s.wantReady("when class begins", students+1)
	if s.peak != creates {
		s.Errorf("%d were being made at once; want the %d that the cloud takes, and no more", s.peak, creates)
	}
	s.until(today(8, 20))
	s.hook("msg_2", "member.removed", `{"course":"de","email":"`+student(0)+`"}`)
	s.until(today(8, 30))
	s.wantReady("within the grace", students+1)
	s.until(today(8, 39))
	s.wantReady("after the grace", students)
	for _, e := range s.all(s.Context(), environment.StateReady, environment.StatePending) {
		if e.Owner == student(0) {
			s.Errorf("who was dropped still has %s", e.ID)
		}
	}
	s.until(today(10, 0))
	s.wantReady("after class", 0)
	s.addUp()
}

func student(i int) string { return fmt.Sprintf("m%03d@example.edu", i) }

func (s *school) wantReady(when string, want int) {
	s.Helper()
	byOwner := map[string]int{}
	ready := s.all(s.Context(), environment.StateReady)
	for _, e := range ready {
		byOwner[e.Owner]++
	}
	if len(ready) != want || len(byOwner) != want {
		s.Errorf("%s: %d are ready, of %d people; want %d", when, len(ready), len(byOwner), want)
	}
}

// addUp compares what daskbot says the lesson cost with the hours that each
// environment ran, whichever way it is added up.
func (s *school) addUp() {
	all := s.all(s.Context())
	if len(all) != students+1 {
		s.Errorf("%d environments were made; want one for each of %d", len(all), students+1)
	}
	hours := 0.0
	for _, e := range all {
		hours += e.DeletedAt.Sub(e.CreatedAt).Hours()
	}
	p := environment.ListPrices()
	node := p.Machines["e2-standard-2"] + p.Address + 50*p.DiskGBMonth/730
	want := hours * (p.Management + 2*node + p.ForwardingRule)
	if s.placement == environment.Shared {
		want = hours * ((p.Management+15*node)/(students+1) + p.ForwardingRule)
	}
	for _, by := range []environment.CostBy{environment.CostByOwner, environment.CostByDay, environment.CostByProfile, environment.CostByCourse} {
		report, err := s.service.Costs(s.Context(), admin, environment.CostQuery{Course: "de", By: by})
		if err != nil {
			s.Fatal(err)
		}
		sum := 0.0
		for _, item := range report.Items {
			sum += item.USD
		}
		// A shared cluster's nodes are split among fewer while the last leave.
		if math.Abs(report.USD-want) > want/10 || math.Abs(report.USD-sum) > 0.01 {
			s.Errorf("by %s: $%.2f in all and $%.2f in its lines; %.1f hours make $%.2f", by, report.USD, sum, hours, want)
		}
	}
	if share := hours / float64(len(all)); share > 2.1 {
		s.Errorf("an environment ran for %.2f hours on average; want little more than the lesson's", share)
	}
}
