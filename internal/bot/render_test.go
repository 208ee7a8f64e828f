package bot

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

var update = flag.Bool("update", false, "write the golden files anew")

var day = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func sample(state environment.State, phase environment.Phase) environment.Environment {
	return environment.Environment{ID: "kq7wm2xd", Owner: "ada@uni.edu", Course: "ml", Profile: "daskhub", State: state, Phase: phase,
		Desired: environment.Present, Message: "Waiting for 2 of 5 pods & <others>.", Spec: environment.Spec{TTL: 4 * time.Hour, Workers: 2},
		CreatedAt: day, PhaseSince: day.Add(time.Minute)}
}

func running() environment.Environment {
	e := sample(environment.StateReady, environment.PhaseReady)
	e.URL, e.ReadyAt, e.ExpiresAt = "http://192.0.2.1/", day, day.Add(4*time.Hour)
	return e
}

func over(state environment.State, f *environment.Failure) environment.Environment {
	e := sample(state, environment.PhaseGone)
	e.Desired, e.Failure, e.DeletedAt = environment.Absent, f, day.Add(time.Hour)
	return e
}

func ending(cause environment.EndCause) environment.Environment {
	e := running()
	e.Ending = &environment.Ending{At: day.Add(2 * time.Hour), Cause: cause, Lead: 30 * time.Minute}
	return e
}

func byItself(kind environment.EventType) []environment.Event {
	return []environment.Event{{Type: kind, Actor: reaper}}
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	goldenText(t, name, got.String())
}

func goldenText(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s; run the test with -update and read the difference (-want +got):\n%s", name, diff)
	}
}

func TestMessages(t *testing.T) {
	look := environment.Look{Now: day.Add(3 * time.Minute), Estimate: day.Add(5 * time.Minute), Cost: environment.Cost{USDPerHour: 0.42, USDTotal: 0.07, PricesAsOf: "2026-07-30"}}
	done := environment.Look{Cost: environment.Cost{USDTotal: 1.234, PricesAsOf: "2026-07-30"}}
	creating := sample(environment.StateCreating, environment.PhaseWorkloads)
	quota := &environment.Failure{Code: environment.CodeQuota, Message: "The project has no CPUs left in europe-west1.", Phase: environment.PhaseCluster, At: day}
	byReaper := []environment.Event{{Type: environment.EventStopping, Actor: "reaper"}}
	byOwner := []environment.Event{{Type: environment.EventStopping, Actor: "ada@uni.edu"}}
	byStaff := []environment.Event{{Type: environment.EventStopping, Actor: "teacher"}}
	login := environment.Credentials{URL: "http://192.0.2.1/", Username: "ada", Password: environment.NewSecret("abcd-efgh")}
	token := environment.Credentials{URL: "http://192.0.2.1/", Token: environment.NewSecret("0123")}
	idle := over(environment.StateDeleted, nil)
	idle.EndedBecause = environment.EndIdle
	terms := environment.Terms{Policy: environment.Policy{Idle: 90 * time.Minute}}
	inUse := environment.Look{Now: day, Terms: terms, Judgement: environment.Judgement{At: day.Add(4 * time.Hour), Cause: environment.EndDeadline},
		Use: environment.Use{Verdict: environment.Verdict{Is: environment.VerdictActive, Reason: "a notebook has been computing for 20m"}}}
	unused := environment.Look{Now: day, Terms: terms, Judgement: environment.Judgement{At: day.Add(time.Hour), Cause: environment.EndIdle},
		Use: environment.Use{Verdict: environment.Verdict{Is: environment.VerdictIdle, Reason: "last used 30m ago"}}}
	left := unused
	left.Judgement.Cause = environment.EndLeft
	for name, m := range map[string]message{
		"up_made":         upMessage(sample(environment.StatePending, environment.PhaseQueued), true, "ada@uni.edu"),
		"up_found":        upMessage(running(), false, "ada@uni.edu"),
		"up_for_another":  upMessage(sample(environment.StatePending, environment.PhaseQueued), true, "teacher"),
		"progress":        progressMessage(creating, look, nil, false),
		"progress_plain":  progressMessage(creating, look, nil, true),
		"progress_ready":  progressMessage(running(), environment.Look{}, nil, true),
		"progress_failed": progressMessage(over(environment.StateFailed, quota), look, nil, true),
		"progress_ending": progressMessage(over(environment.StateDeleting, nil), look, byStaff, false),
		"progress_ended":  progressMessage(over(environment.StateDeleted, nil), done, byOwner, false),
		"ready":           readyMessage(running(), login, 4*time.Hour),
		"ready_token":     readyMessage(running(), token, time.Hour),
		"failed":          failedMessage(over(environment.StateFailed, quota)),
		"ready_bare":      readyMessage(running(), login, 4*time.Hour).withoutBlocks(),
		"undone_ended":    wasUndoneMessage(over(environment.StateDeleted, nil)),
		"undone":          undoneMessage(running(), "The change did not work and was taken back. There is no package xgbost."),
		"ended_by_time":   endedMessage(over(environment.StateDeleted, nil), done, byReaper),
		"ended_by_staff":  endedMessage(over(environment.StateDeleted, nil), done, byStaff),
		"ended_idle":      endedMessage(idle, done, byReaper),
		"warned_idle":     warnedMessage(ending(environment.EndIdle), 4*time.Hour),
		"warned_unused":   warnedMessage(ending(environment.EndUnused), 0),
		"warned_deadline": warnedMessage(ending(environment.EndDeadline), 90*time.Minute),
		"warned_maximum":  warnedMessage(ending(environment.EndMaximum), 0),
		"warned_left":     warnedMessage(ending(environment.EndLeft), 4*time.Hour),
		"warned_course":   warnedMessage(ending(environment.EndCourse), 4*time.Hour),
		"budget":          budgetMessage("80 % of your budget in the course ml for November 2026 is spent: about $4.00 of $5.00."),
		"why_left":        newMessage(whyText(running(), left, nil, "ada@uni.edu")),
		"warned_before":   wasWarnedMessage(ending(environment.EndIdle), look, nil),
		"warned_used":     wasWarnedMessage(running(), inUse, byItself(environment.EventKept)),
		"warned_extended": wasWarnedMessage(running(), look, []environment.Event{{Type: environment.EventExtended, Actor: "ada@uni.edu"}}),
		"warned_kept":     wasWarnedMessage(running(), look, []environment.Event{{Type: environment.EventKept, Actor: "teacher"}}),
		"warned_ended":    wasWarnedMessage(idle, look, byReaper),
		"ready_no_more":   wasReadyMessage(over(environment.StateDeleting, nil)),
		"why_used":        newMessage(whyText(running(), inUse, nil, "ada@uni.edu")),
		"why_idle":        newMessage(whyText(running(), unused, nil, "ada@uni.edu")),
		"why_new":         newMessage(whyText(running(), environment.Look{Now: day}, nil, "ada@uni.edu")),
		"status":          statusMessage(creating, look, "ada@uni.edu"),
		"status_of_other": statusMessage(running(), done, "teacher"),
		"overview":        overviewMessage([]environment.Environment{running()}),
		"overview_empty":  overviewMessage(nil),
		"list":            listMessage([]environment.Environment{running(), creating}, true, ""),
		"list_empty":      listMessage(nil, false, "ml"),
		"logs":            logsMessage(running(), "line <1>\nline 2\n"),
		"refusal":         refusalMessage("Its owner can allow it with these commands:\ngcloud a\ngcloud b"),
		"why_waiting":     newMessage(whyText(creating, look, []environment.Event{{Type: environment.EventRetry, Message: "The registry did not answer."}}, "ada@uni.edu")),
		"why_failed":      newMessage(whyText(over(environment.StateFailed, quota), look, nil, "ada@uni.edu")),
	} {
		golden(t, name+".json", map[string]any{"text": m.text, "blocks": m.blocks})
	}
	looks := map[string]environment.Look{"kq7wm2xd": look}
	golden(t, "home_student.json", home{who: environment.Caller{Role: environment.RoleStudent}, mine: []environment.Environment{running()}, looks: looks}.blocks())
	ml, ready := environment.Course{ID: "ml", Title: "Machine learning", Members: []environment.Member{{Subject: "ada@uni.edu"}, {Subject: "bob@uni.edu"}}}, running()
	golden(t, "class_status.json", classMessage(environment.CourseStatus{Course: ml, Seats: []environment.Seat{
		{Subject: "ada@uni.edu", Member: true, Environment: &ready, Look: unused}, {Subject: "bob@uni.edu", Member: true}}}).blocks)
	part := []environment.BatchItem{
		{Subject: "ada@uni.edu", Outcome: environment.OutcomeExisting}, {Subject: "bob@uni.edu", Outcome: environment.OutcomeStarted},
		{Subject: "eve@uni.edu", Outcome: environment.OutcomeRefused, Reason: "No more can be made. End one with `daskbot down` first."}, {Subject: "late@uni.edu"}}
	golden(t, "class_up.json", orderMessage(environment.CourseOrder{Course: "ml", Action: environment.ScheduleUp, Items: part[:3]}).blocks)
	golden(t, "class_given_up.json", orderMessage(environment.CourseOrder{Course: "ml", Action: environment.ScheduleUp, Items: part,
		Problem: "it could not be carried out within 1h and was given up."}).blocks)
	golden(t, "class_budget.json", orderMessage(environment.CourseOrder{Course: "ml", Notice: "80 % of the budget of the course ml for November 2026 is spent: about $80.00 of $100.00."}).blocks)
	golden(t, "class_nothing.json", orderMessage(environment.CourseOrder{Course: "ml", Action: environment.ScheduleDown}).blocks)
	golden(t, "home_staff.json", home{who: environment.Caller{Role: environment.RoleStaff}, courses: []environment.Course{ml}, others: []environment.Environment{running()}, looks: looks}.blocks())
	golden(t, "modal_up.json", upModal(offers(), "daskhub"))
	golden(t, "modal_login.json", loginModal(running(), login))
	golden(t, "modal_extend.json", extendModal(running(), running().ExpiresAt, 4*time.Hour, time.UTC))
	golden(t, "help.json", help(""))
	golden(t, "help_up.json", help("up"))
}

// offers are the profiles of the tests; one of them takes no packages and lives
// shorter.
func offers() []environment.Offer {
	var all []environment.Offer
	for _, p := range (catalogue{}).Profiles() {
		o := environment.Offer{Profile: p, Policy: catalogue{}.Policy()}
		if p.Name == "dask" {
			o.Profile.Packages, o.Profile.Workers.Max, o.Policy.MaxTTL = false, 4, 8*time.Hour
		}
		all = append(all, o)
	}
	return all
}

// TestAnswers are those that are one sentence each.
func TestAnswers(t *testing.T) {
	e, other := running(), "teacher"
	e.Spec.Packages = []string{"lightgbm==4.5.0", "xgboost"}
	bare := e
	bare.Spec.Workers, bare.Spec.Packages = 1, nil
	cost := environment.Cost{USDPerHour: 0.42, USDTotal: 0.07, PricesAsOf: "2026-07-30"}
	golden(t, "answers.json", map[string]string{
		"extended":          extendedText(e, e.Owner),
		"extended_of_other": extendedText(e, other),
		"down":              downText(e, false, e.Owner),
		"down_of_other":     downText(e, false, other),
		"down_already":      downText(over(environment.StateDeleted, nil), true, e.Owner),
		"scale":             scaledText(e, e.Owner),
		"scale_to_one":      scaledText(bare, other),
		"packages":          packagesText(e, e.Owner),
		"packages_none":     packagesText(bare, e.Owner),
		"cost":              priceText(e, cost, e.Owner),
		"cost_of_other":     priceText(e, environment.Cost{USDTotal: 1.234, PricesAsOf: "2026-07-30"}, other),
		"link":              knownText(environment.Caller{Subject: "ada@uni.edu", Role: environment.RoleStudent}),
		"link_staff":        knownText(environment.Caller{Subject: "teacher", Role: environment.RoleStaff, Courses: []string{"de-2026", "ml"}}),
		"link_admin":        knownText(environment.Caller{Subject: "root", Role: environment.RoleAdmin}),
		"link_code":         linkedText("ada@uni.edu"),
		"project":           projectText("my-class-2026"),
		"project_none":      projectText(""),
		"project_linked":    projectLinkedText("my-class-2026"),
		"project_unlinked":  projectLinkedText(""),
		"class_up":          orderedText("ml", environment.ScheduleUp),
		"class_down":        orderedText("ml", environment.ScheduleDown),
	})
}

// seats are a class in which every fifth is idle and every tenth has nothing.
func seats(n int) environment.CourseStatus {
	status := environment.CourseStatus{Course: environment.Course{ID: "ml", Title: "Machine learning"}}
	for i := range n {
		subject := fmt.Sprintf("student-%03d@university.example", i)
		status.Course.Members = append(status.Course.Members, environment.Member{Subject: subject})
		seat := environment.Seat{Subject: subject, Member: true}
		if i%10 != 9 {
			e := running()
			e.ID, e.Owner = fmt.Sprintf("kq7wm%03d", i), subject
			seat.Environment = &e
			seat.Look.Cost = environment.Cost{USDPerHour: 0.42, USDTotal: 1.23}
		}
		if i%5 == 0 {
			seat.Look.Use.Verdict = environment.Verdict{Is: environment.VerdictIdle, Reason: "last used 30m ago"}
		}
		status.Seats = append(status.Seats, seat)
	}
	return status
}

// TestALargeClass: nobody is left out of what is shown without a word.
func TestALargeClass(t *testing.T) {
	golden(t, "class_status_150.json", classMessage(seats(150)).blocks)
	large := classMessage(seats(600))
	text := string(must(json.Marshal(large.blocks)))
	if len(text) > maxMessage || !strings.Contains(text, "432 ready") && !strings.Contains(text, "540 ready") || !strings.Contains(text, " of 540; `daskbot course status ml` on the command line shows everybody.") {
		t.Errorf("got %d bytes: %s; want what it comes to, and a hint that there is more", len(text), text)
	}
	var refused []environment.BatchItem
	for _, seat := range seats(300).Seats {
		refused = append(refused, environment.BatchItem{Subject: seat.Subject, Outcome: environment.OutcomeRefused, Reason: "No more can be made: the course has 200 environments, and that is the limit."})
	}
	order := orderMessage(environment.CourseOrder{Course: "ml", Action: environment.ScheduleUp, Items: refused})
	if text := string(must(json.Marshal(order.blocks))); len(text) > maxMessage || !strings.Contains(text, " of 300 reasons") {
		t.Errorf("got %d bytes: %s; want a hint that there is more", len(text), text)
	}
	many := newMessage("A text.", slices.Repeat([]block{section(strings.Repeat("x", 1000))}, 20)...)
	if text := string(must(json.Marshal(many.blocks))); len(text) > maxMessage || !strings.Contains(text, "There is more than fits here") {
		t.Errorf("got %s; want a hint that there is more", text)
	}
}

// TestHomeOfAnAdmin: with more courses and environments than there is room for,
// it says so.
func TestHomeOfAnAdmin(t *testing.T) {
	status := seats(222)
	h := home{who: environment.Caller{Role: environment.RoleAdmin}, more: true, looks: map[string]environment.Look{}}
	for _, seat := range status.Seats {
		if seat.Environment != nil {
			h.others, h.looks[seat.Environment.ID] = append(h.others, *seat.Environment), seat.Look
		}
	}
	h.others = h.others[:ofOthers]
	for i := range 7 {
		h.courses = append(h.courses, environment.Course{ID: fmt.Sprintf("course-%d", i), Title: "A course"})
	}
	blocks := h.blocks()
	golden(t, "home_admin.json", blocks)
	if len(blocks) > maxViewBlocks {
		t.Errorf("got %d blocks; want at most %d", len(blocks), maxViewBlocks)
	}
}

// TestManifests are what people paste.
func TestManifests(t *testing.T) {
	goldenText(t, "manifest_http.yaml", Manifest("https://daskbot.example.edu/", ""))
	goldenText(t, "manifest_socket.yaml", Manifest("", ""))
	goldenText(t, "manifest_oauth.yaml", Manifest("https://daskbot.example.edu", "https://daskbot.example.edu/slack/oauth"))
}

// TestLimits: whatever comes from elsewhere, Slack takes the message.
func TestLimits(t *testing.T) {
	long := strings.Repeat("<&>é", 3000)
	e := running()
	e.Message, e.Profile, e.Owner = long, long[:200], long[:300]
	f := &environment.Failure{Code: environment.CodeInvalid, Message: long}
	many := make([]environment.Environment, 60)
	for i := range many {
		many[i] = e
	}
	for name, m := range map[string]message{
		"progress": progressMessage(e, environment.Look{}, nil, false),
		"failed":   failedMessage(over(environment.StateFailed, f)),
		"logs":     logsMessage(e, long),
		"overview": overviewMessage(many),
		"list":     listMessage(many, false, ""),
		"ready":    readyMessage(e, environment.Credentials{URL: "http://192.0.2.1/" + strings.Repeat("x", 4000)}, time.Hour),
		"refusal":  refusalMessage(long + "\n" + strings.Repeat(long+"\n", 3)),
	} {
		if n := len([]rune(m.text)); n == 0 || n > maxText {
			t.Errorf("%s: the text has %d characters", name, n)
		}
		if len(m.blocks) > maxBlocks {
			t.Errorf("%s: got %d blocks", name, len(m.blocks))
		}
		if n := size(m.blocks); n > maxMessage+maxSection*6 {
			t.Errorf("%s: the blocks have %d bytes", name, n)
		}
		for _, b := range m.blocks {
			if s, ok := b.(*slack.SectionBlock); ok && (s.Text.Text == "" || len([]rune(s.Text.Text)) > maxSection) {
				t.Errorf("%s: a section of %d characters", name, len([]rune(s.Text.Text)))
			}
		}
	}
}
