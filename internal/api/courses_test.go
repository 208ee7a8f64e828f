package api

import (
	"context"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

var class = environment.Course{ID: "de-2026", Title: "Data engineering", Timezone: "Europe/Paris", Origin: environment.OriginConfiguration, Members: []environment.Member{{Subject: "alice", Role: environment.MemberStudent}, {Subject: "bob", Role: environment.MemberStudent}}}

func (d *double) Courses(_ context.Context, who environment.Caller) ([]environment.Course, error) {
	if who.Role == environment.RoleStudent {
		return nil, d.scripted("Courses")
	}
	return []environment.Course{class}, d.scripted("Courses")
}

func (d *double) teaches(who environment.Caller, course string) error {
	if who.Role == environment.RoleStudent || course != class.ID {
		return environment.Errorf(environment.CodeNotFound, "There is no such course, or it is not yours.")
	}
	return nil
}

func (d *double) CourseStatus(_ context.Context, who environment.Caller, course string) (environment.CourseStatus, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.CourseStatus{}, err
	}
	e := d.rows["kq7wm2xd"]
	return environment.CourseStatus{Course: class, Cost: environment.Cost{USDPerHour: 0.2, USDTotal: 0.35, PricesAsOf: "2026-07-30"},
		Seats: []environment.Seat{{Subject: "alice", Member: true, Environment: &e}, {Subject: "bob", Member: true}}, Problems: []string{"Notifications are not sent."}}, d.scripted("CourseStatus")
}

func (d *double) CourseUp(_ context.Context, who environment.Caller, course string) (environment.Batch, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.Batch{}, err
	}
	return environment.Batch{Course: course, Items: []environment.BatchItem{
		{Subject: "alice", Environment: "kq7wm2xd", Outcome: environment.OutcomeExisting},
		{Subject: "bob", Outcome: environment.OutcomeRefused, Reason: "No more can be made."}}}, d.scripted("CourseUp")
}

func (d *double) CourseDown(_ context.Context, who environment.Caller, course string) (environment.Batch, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.Batch{}, err
	}
	return environment.Batch{Course: course, Items: []environment.BatchItem{
		{Subject: "alice", Environment: "kq7wm2xd", Outcome: environment.OutcomeEnded}}}, d.scripted("CourseDown")
}

func (d *double) CourseDocument(_ context.Context, who environment.Caller, course string) (environment.Course, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.Course{}, err
	}
	k := class
	k.Origin, k.Version = environment.OriginStored, 3
	return k, d.scripted("CourseDocument")
}

func (d *double) ApplyCourse(_ context.Context, who environment.Caller, doc environment.Course, expect int64, dry bool) (environment.CourseChange, error) {
	switch {
	case who.Role != environment.RoleAdmin:
		return environment.CourseChange{}, environment.Errorf(environment.CodeForbidden, "Only an admin may make one.")
	case expect != 0 && expect != 3:
		return environment.CourseChange{}, errNoMatch
	}
	doc.Version = 4
	return environment.CourseChange{Course: doc, Created: doc.ID != class.ID, Diff: []environment.Difference{{Field: "title", Was: "Data engineering", Is: doc.Title}}}, d.scripted("ApplyCourse")
}

func (d *double) PutMembers(ctx context.Context, who environment.Caller, course string, members []environment.Member, expect int64, dry bool) (environment.CourseChange, error) {
	k, err := d.CourseDocument(ctx, who, course)
	k.Members = members
	return environment.CourseChange{Course: k}, err
}

func (d *double) DeleteCourse(_ context.Context, who environment.Caller, id string, _ int64) error {
	return d.teaches(who, id)
}

func TestCourses(t *testing.T) {
	const one = Base + "/courses/de-2026"
	for name, c := range map[string]struct {
		token, method, target string
		want                  int
		has                   string
	}{
		"list":                {"admin", "GET", Base + "/courses", 200, `"title":"Data engineering"`},
		"list of a student":   {"alice", "GET", Base + "/courses", 200, `"items":[]`},
		"status":              {"admin", "GET", one, 200, `"subject":"bob","member":true}`},
		"what to mend":        {"admin", "GET", one, 200, `"problems":["Notifications are not sent."]`},
		"status of a student": {"alice", "GET", one, 404, `"not_found"`},
		"up":                  {"admin", "POST", one + "/up", 202, `"refused":1`},
		"up, the reason":      {"admin", "POST", one + "/up", 202, `"reason":"No more can be made."`},
		"up by a student":     {"alice", "POST", one + "/up", 404, `"not_found"`},
		"down":                {"admin", "POST", one + "/down", 202, `"ended":1`},
		"delete":              {"admin", "DELETE", one, 204, ""},
		"the roster":          {"admin", "GET", one + "/members", 200, `{"subject":"alice","role":"student"}`},
		"of a student":        {"alice", "GET", one + "/members", 404, "not_found"},
		"down of no course":   {"admin", "POST", Base + "/courses/nope/down", 404, `"not_found"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			answer := b.ask(t, c.method, c.target, "", "Authorization", "Bearer "+c.token)
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.want || !strings.Contains(string(body), c.has) {
				t.Errorf("got %d %s; want %d with %q", answer.StatusCode, body, c.want, c.has)
			}
		})
	}
}

func TestWritingACourse(t *testing.T) {
	const one = Base + "/courses/de-2026"
	const doc = `{"id":"de-2026","title":"Data","timezone":"Europe/Paris","endsAt":"2027-01-29","policy":{"ttl":"3h","warnings":["20m"]},` +
		`"schedules":[{"name":"lab","cron":"45 7 * * MON","action":"up","spread":"10m"}],"members":["alice@example.edu",{"email":"bob@example.edu","lmsId":"7"}]}`
	for name, c := range map[string]struct {
		token, method, target, kind, match, body string
		want                                     int
		has                                      string
	}{
		"put":                     {"admin", "PUT", one, "application/json", "", doc, 200, `"endsAt":"2027-01-29"`},
		"put, the members":        {"admin", "PUT", one, "application/json", `"v3"`, doc, 200, `{"email":"bob@example.edu","lmsId":"7"}`},
		"put, what changed":       {"admin", "PUT", one, "application/json", "", doc, 200, `"changes":[{"field":"title","was":"Data engineering","is":"Data"}]`},
		"put, moved on":           {"admin", "PUT", one, "application/json", `"v2"`, doc, 412, "conflict"},
		"put, new":                {"admin", "PUT", Base + "/courses/ml", "application/json", "", strings.Replace(doc, "de-2026", "ml", 1), 201, `"created":true`},
		"put, new, dry":           {"admin", "PUT", Base + "/courses/ml?dryRun=true", "application/json", "", strings.Replace(doc, "de-2026", "ml", 1), 200, `"dryRun":true`},
		"put, by a student":       {"alice", "PUT", one, "application/json", "", doc, 403, "forbidden"},
		"put, another id":         {"admin", "PUT", Base + "/courses/ml", "application/json", "", doc, 422, `"field":"id"`},
		"put, unknown field":      {"admin", "PUT", one, "application/json", "", `{"id":"de-2026","titel":"x"}`, 422, "titel"},
		"put, bad member":         {"admin", "PUT", one, "application/json", "", `{"id":"de-2026","members":[7]}`, 422, "members"},
		"put, bad length":         {"admin", "PUT", one, "application/json", "", `{"id":"de-2026","policy":{"ttl":"soon"}}`, 422, `"field":"policy.ttl"`},
		"put, all at once":        {"admin", "PUT", one, "application/json", "", strings.Replace(doc, "10m", "0s", 1), 200, `"id":"de-2026"`},
		"put, bad spread":         {"admin", "PUT", one, "application/json", "", strings.Replace(doc, "10m", "soon", 1), 422, `"field":"schedules[0].spread"`},
		"put, bad end":            {"admin", "PUT", one, "application/json", "", `{"id":"de-2026","endsAt":"soon"}`, 422, `"field":"endsAt"`},
		"roster":                  {"admin", "PUT", one + "/members", "application/json", "", `["x@example.edu",{"subject":"y"}]`, 200, `{"subject":"y"}`},
		"roster, not a list":      {"admin", "PUT", one + "/members", "application/json", "", `{"a":1}`, 422, "list of members"},
		"roster, null":            {"admin", "PUT", one + "/members", "application/json", "", " null ", 422, "list of members"},
		"roster, nobody":          {"admin", "PUT", one + "/members", "application/json", "", "[]", 200, `"changes":[]`},
		"roster, unknown field":   {"admin", "PUT", one + "/members", "application/json", "", `[{"e-mail":"x"}]`, 422, "list of members"},
		"roster, neither":         {"admin", "PUT", one + "/members", "text/plain", "", "x", 415, "text/csv"},
		"csv":                     {"admin", "PUT", one + "/members", "text/csv; charset=utf-8", "", "email\nx@example.edu\n", 200, `"email":"x@example.edu"`},
		"csv, bad":                {"admin", "PUT", one + "/members", "text/csv", "", "email\nx@example.edu\nnobody\n", 422, `"field":"line 3, email"`},
		"csv, bad, skipped":       {"admin", "PUT", one + "/members?skipBad=true", "text/csv", "", "email\nx@example.edu\nnobody\n", 200, `"skipped":[{"field":"line 3, email"`},
		"csv, all bad, skipped":   {"admin", "PUT", one + "/members?skipBad=true", "text/csv", "", "email\nnobody\n", 422, "line 2, email"},
		"csv, no header, skipped": {"admin", "PUT", one + "/members?skipBad=true", "text/csv", "", "Mail address\nx@example.edu\n", 422, "line 1, header"},
		"csv, latin-1, skipped":   {"admin", "PUT", one + "/members?skipBad=true", "text/csv", "", "email,name\nx@example.edu,Zo\xeb\n", 422, "not UTF-8"},
		"csv, a quote, skipped":   {"admin", "PUT", one + "/members?skipBad=true", "text/csv", "", "email,name\nx@example.edu,X\ny@example.edu,\"Y\nz@example.edu,Z\n", 422, "line 3, line"},
		"csv, bad, by a student":  {"alice", "PUT", one + "/members", "text/csv", "", "nonsense", 404, "not_found"},
		"csv, larger than a body": {"admin", "PUT", one + "/members", "text/csv", "", "email\n" + strings.Repeat(" \n", 1<<20), 413, "larger"},
		"delete":                  {"admin", "DELETE", one, "", "", "", 204, ""},
		"delete, by a student":    {"alice", "DELETE", one, "", "", "", 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			headers := []string{"Authorization", "Bearer " + c.token}
			if c.kind != "" {
				headers = append(headers, "Content-Type", c.kind)
			}
			if c.match != "" {
				headers = append(headers, "If-Match", c.match)
			}
			answer := b.ask(t, c.method, c.target, c.body, headers...)
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.want || !strings.Contains(string(body), c.has) {
				t.Errorf("got %d %s; want %d with %q", answer.StatusCode, body, c.want, c.has)
			}
		})
	}
}

// Every limit of the domain can be written in a document, and comes back as it
// was written.
func TestEveryLimitOfACourseCanBeWritten(t *testing.T) {
	var p environment.Policy
	v := reflect.ValueOf(&p).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case time.Duration:
			f.SetInt(int64(time.Duration(i+1) * time.Hour))
		case []time.Duration:
			f.Set(reflect.ValueOf([]time.Duration{30 * time.Minute, 10 * time.Minute}))
		case int:
			f.SetInt(int64(i + 1))
		case float64:
			f.SetFloat(float64(i) + 0.5)
		case bool:
			f.SetBool(true)
		case string:
			f.SetString("22:00-07:00 Europe/Paris")
		default:
			t.Fatalf("%s is of a kind that documents do not know", v.Type().Field(i).Name)
		}
	}
	got, err := wirePolicy(p).policy()
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for i := range v.NumField() {
		domain := v.Type().Field(i)
		wired, ok := reflect.TypeFor[CoursePolicy]().FieldByName(domain.Name)
		if !ok || keyOf(wired) != keyOf(domain) {
			t.Errorf("%s: the document's key is %q; want %q", domain.Name, keyOf(wired), keyOf(domain))
		}
	}
}
