package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/daskbot/daskbot/internal/environment"
)

// CourseDocument is a class as it is written: what PUT takes, what GET gives
// back and what `daskbot course apply` reads.
type CourseDocument struct {
	ID        string           `json:"id" maxLength:"40" doc:"The course." example:"de-2026"`
	Title     string           `json:"title,omitempty" maxLength:"200" example:"Data engineering"`
	Timezone  string           `json:"timezone,omitempty" maxLength:"64" doc:"Where its times count; UTC when left out." example:"Europe/Paris"`
	Profile   string           `json:"profile,omitempty" maxLength:"63" doc:"What its members get; left out for the default." example:"daskhub-shared"`
	Project   string           `json:"project,omitempty" maxLength:"63" doc:"The cloud project that pays, unless a member has one." example:"my-class-2026"`
	Budget    float64          `json:"budget,omitempty" minimum:"0" doc:"US dollars a calendar month for all of it, estimated; left out for none." example:"200"`
	EndsAt    string           `json:"endsAt,omitempty" maxLength:"40" doc:"When the course is over and everything in it ends: a time, or a date for the end of that day." example:"2027-01-29"`
	Policy    *CoursePolicy    `json:"policy,omitempty" doc:"Limits for its members' environments; what is left out is daskbot's."`
	Schedules []CourseSchedule `json:"schedules,omitempty" maxItems:"500" nullable:"false" doc:"When it starts and ends by itself."`
	Holidays  []string         `json:"holidays,omitempty" maxItems:"500" nullable:"false" doc:"Dates on which none of the schedules comes due." example:"[\"2026-12-24\"]"`
	LMS       []LMSCourse      `json:"lms,omitempty" maxItems:"500" nullable:"false" doc:"Which courses of learning platforms this one is."`
	// Notifications are signed; GET /courses/{id}/notifications has the secrets.
	Notifications []CourseSubscription `json:"notifications,omitempty" maxItems:"5" nullable:"false" doc:"Addresses that are notified of its environments."`
	Staff         []string             `json:"staff,omitempty" maxItems:"500" nullable:"false" doc:"Who teaches it." example:"[\"teacher@example.edu\"]"`
	Members       []Member             `json:"members,omitempty" nullable:"false" doc:"Whom up and schedules are for."`
}

// CoursePolicy are the limits that a course sets. Lengths of time are words
// such as 45m or 2d.
type CoursePolicy struct {
	TTL          string   `json:"ttl,omitempty" maxLength:"32" doc:"Lifetime when none is asked for." example:"3h"`
	MaxTTL       string   `json:"maxTtl,omitempty" maxLength:"32" doc:"The longest lifetime." example:"8h"`
	Idle         string   `json:"idle,omitempty" maxLength:"32" doc:"How long idle before it is taken away." example:"45m"`
	MaxPerOwner  int      `json:"maxPerOwner,omitempty" minimum:"0" example:"1"`
	MaxPerCourse int      `json:"maxPerCourse,omitempty" minimum:"0" example:"60"`
	MaxTotal     int      `json:"maxTotal,omitempty" minimum:"0" doc:"Not for courses; refused." example:"0"`
	Extension    string   `json:"extension,omitempty" maxLength:"32" doc:"The longest single extension." example:"1h"`
	Extensions   int      `json:"extensions,omitempty" minimum:"0" doc:"How many a student may ask for." example:"3"`
	Unused       string   `json:"unused,omitempty" maxLength:"32" doc:"How long one that nobody ever used is kept." example:"1h"`
	MaxBusy      string   `json:"maxBusy,omitempty" maxLength:"32" doc:"How long work without a pause counts as use." example:"8h"`
	Warnings     []string `json:"warnings,omitempty" maxItems:"20" nullable:"false" doc:"How long before an end its owner is told." example:"[\"30m\",\"10m\"]"`
	Adaptive     bool     `json:"adaptive,omitempty" doc:"Learn the idle limit between idleMin and idleMax." example:"true"`
	IdleMin      string   `json:"idleMin,omitempty" maxLength:"32" example:"15m"`
	IdleMax      string   `json:"idleMax,omitempty" maxLength:"32" example:"90m"`
	QuietHours   string   `json:"quietHours,omitempty" maxLength:"80" doc:"When nobody is expected." example:"22:00-07:00"`
	Grace        string   `json:"grace,omitempty" maxLength:"32" doc:"How long what a member has is kept once they are off the roster." example:"24h"`
	WeeklyHours  int      `json:"weeklyHours,omitempty" minimum:"0" doc:"What an owner's may run in seven days." example:"30"`
	OwnerBudget  float64  `json:"ownerBudget,omitempty" minimum:"0" doc:"US dollars a calendar month for each member." example:"5"`
	CourseBudget float64  `json:"courseBudget,omitempty" minimum:"0" doc:"Another name for the course's budget." example:"200"`
}

// CourseSchedule starts or ends the class at set times.
type CourseSchedule struct {
	Name   string   `json:"name" maxLength:"40" example:"monday-lab"`
	Cron   string   `json:"cron" maxLength:"100" doc:"Minute, hour, day, month, weekday, on the clock of the course's time zone." example:"45 7 * * MON"`
	Action string   `json:"action" enum:"up,down" example:"up"`
	Spread string   `json:"spread,omitempty" maxLength:"32" doc:"The time over which the class is started; at most 1h." example:"10m"`
	NotOn  []string `json:"notOn,omitempty" maxItems:"500" nullable:"false" doc:"Dates without this lesson." example:"[\"2026-12-21\"]"`
}

// LMSCourse is a course of a learning platform.
type LMSCourse struct {
	Source  string `json:"source" maxLength:"63" doc:"As in /hooks/lms/{source}." example:"canvas"`
	Context string `json:"context,omitempty" maxLength:"255" doc:"The platform's own id; left out for all of the source's." example:"4711"`
}

// CourseSubscription is an address that is notified.
type CourseSubscription struct {
	URL    string   `json:"url" maxLength:"500" doc:"Takes a POST by Standard Webhooks; not within a private network." example:"https://hooks.example.edu/daskbot"`
	Events []string `json:"events,omitempty" maxItems:"20" nullable:"false" doc:"The notices wanted; left out for all." enum:"environment.requested,environment.ready,environment.ending,environment.failed,environment.deleted" example:"[\"environment.ready\"]"`
}

// Member is somebody on a roster. Where one is read, an e-mail address or a
// subject alone may stand for it.
type Member struct {
	Subject string `json:"subject,omitempty" maxLength:"128" doc:"Who it is here; their e-mail address when left out." example:"alice@example.edu"`
	Name    string `json:"name,omitempty" maxLength:"200" example:"Alice Liddell"`
	Email   string `json:"email,omitempty" maxLength:"254" example:"alice@example.edu"`
	LMSID   string `json:"lmsId,omitempty" maxLength:"255" doc:"Who it is in the learning platform." example:"4711"`
	SlackID string `json:"slackId,omitempty" maxLength:"64" example:"U012AB3CD"`
	Project string `json:"project,omitempty" maxLength:"63" doc:"The member's own cloud project, which pays." example:"alice-credits-2026"`
	Role    string `json:"role,omitempty" doc:"student when left out, or staff." example:"student"`
}

// plainMember is Member without its ways of being read.
type plainMember Member

// UnmarshalJSON reads a member, or the e-mail address or subject of one.
func (m *Member) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil {
		*m = memberNamed(word)
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode((*plainMember)(m))
}

func memberNamed(word string) Member {
	if strings.Contains(word, "@") {
		return Member{Email: word}
	}
	return Member{Subject: word}
}

// Schema says that a member may be a word.
func (Member) Schema(r huma.Registry) *huma.Schema {
	whole := r.Schema(reflect.TypeFor[plainMember](), true, "Member")
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString, MaxLength: new(254)}, whole}, Description: "Somebody on the roster; an e-mail address or a subject alone may stand for it."}
}

// member is the domain's, with its text in Unicode's composed form: the same
// name typed on two machines is the same name.
func (m Member) member() environment.Member {
	return environment.Member{Subject: norm.NFC.String(m.Subject), Name: norm.NFC.String(m.Name), Email: norm.NFC.String(m.Email), LMSID: norm.NFC.String(m.LMSID),
		SlackID: m.SlackID, Project: m.Project, Role: environment.MemberRole(m.Role)}
}

func wireMember(m environment.Member) Member {
	return Member{Subject: m.Subject, Name: m.Name, Email: m.Email, LMSID: m.LMSID, SlackID: m.SlackID, Project: m.Project, Role: string(m.Role)}
}

func members(list []Member) []environment.Member {
	out := make([]environment.Member, len(list))
	for i, m := range list {
		out[i] = m.member()
	}
	return out
}

// course turns a document into the domain's words.
func (d CourseDocument) course() (environment.Course, error) {
	c := environment.Course{ID: d.ID, Title: norm.NFC.String(d.Title), Timezone: d.Timezone, Profile: d.Profile, Project: d.Project, Budget: d.Budget,
		Holidays: d.Holidays, Staff: d.Staff, Members: members(d.Members)}
	for _, b := range d.LMS {
		c.LMS = append(c.LMS, environment.LMSBinding{Source: b.Source, Context: b.Context})
	}
	for _, s := range d.Notifications {
		c.Notifications = append(c.Notifications, environment.Subscription{URL: s.URL, Events: s.Events})
	}
	for i, s := range d.Schedules {
		spread, err := environment.ParseOptional(fmt.Sprintf("schedules[%d].spread", i), cmp.Or(s.Spread, "0s"))
		if err != nil {
			return c, err
		}
		c.Schedules = append(c.Schedules, environment.Schedule{Name: s.Name, Cron: s.Cron, Action: environment.ScheduleAction(s.Action), Spread: spread, NotOn: s.NotOn})
	}
	var err error
	if c.EndsAt, err = environment.ParseEnd(d.EndsAt, d.Timezone); err != nil || d.Policy == nil {
		return c, err
	}
	c.Policy, err = d.Policy.policy()
	return c, err
}

func span(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return environment.ParseDuration(field, text)
}

// wireEnd is the inverse of environment.ParseEnd: a midnight is the end of the day before.
func wireEnd(at time.Time, timezone string) string {
	if at.IsZero() {
		return ""
	}
	if zone, err := time.LoadLocation(timezone); err == nil {
		local := at.In(zone)
		day := local.AddDate(0, 0, -1).Format(time.DateOnly)
		if again, err := environment.ParseEnd(day, timezone); err == nil && again.Equal(at) {
			return day
		}
	}
	return at.UTC().Format(time.RFC3339)
}

var (
	durationType  = reflect.TypeFor[time.Duration]()
	durationsType = reflect.TypeFor[[]time.Duration]()
)

// policy reads the limits. The two structs name their fields alike, which a
// test insists on.
func (p CoursePolicy) policy() (environment.Policy, error) {
	var out environment.Policy
	from, to := reflect.ValueOf(p), reflect.ValueOf(&out).Elem()
	for i := range to.NumField() {
		field, name := to.Type().Field(i), "policy."+keyOf(to.Type().Field(i))
		value := from.FieldByName(field.Name)
		switch field.Type {
		case durationType:
			d, err := span(name, value.String())
			if err != nil {
				return out, err
			}
			to.Field(i).SetInt(int64(d))
		case durationsType:
			for _, text := range p.Warnings {
				d, err := environment.ParseDuration(name, text)
				if err != nil {
					return out, err
				}
				out.Warnings = append(out.Warnings, d)
			}
		default:
			to.Field(i).Set(value)
		}
	}
	return out, nil
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// wirePolicy is the inverse of policy; nil when nothing is set.
func wirePolicy(p environment.Policy) *CoursePolicy {
	from := reflect.ValueOf(p)
	if from.IsZero() {
		return nil
	}
	out := &CoursePolicy{}
	to := reflect.ValueOf(out).Elem()
	for i := range from.NumField() {
		field, value := from.Type().Field(i), from.Field(i)
		target := to.FieldByName(field.Name)
		switch {
		case value.IsZero():
		case field.Type == durationType:
			target.SetString(environment.FormatDuration(time.Duration(value.Int())))
		case field.Type == durationsType:
			for _, d := range p.Warnings {
				out.Warnings = append(out.Warnings, environment.FormatDuration(d))
			}
		default:
			target.Set(value)
		}
	}
	return out
}

func wireDocument(k environment.Course) CourseDocument {
	d := CourseDocument{ID: k.ID, Title: k.Title, Timezone: k.Timezone, Profile: k.Profile, Project: k.Project, Budget: k.Budget,
		EndsAt: wireEnd(k.EndsAt, k.Timezone), Policy: wirePolicy(k.Policy), Holidays: append([]string{}, k.Holidays...),
		Schedules: []CourseSchedule{}, LMS: []LMSCourse{}, Staff: append([]string{}, k.Staff...), Members: []Member{}}
	if d.Policy != nil { // on the course's clock unless it says otherwise
		d.Policy.QuietHours = strings.TrimSuffix(d.Policy.QuietHours, " "+k.Timezone)
	}
	for _, b := range k.LMS {
		d.LMS = append(d.LMS, LMSCourse{Source: b.Source, Context: b.Context})
	}
	for _, s := range k.Notifications {
		d.Notifications = append(d.Notifications, CourseSubscription{URL: s.URL, Events: s.Events})
	}
	for _, s := range k.Schedules {
		line := CourseSchedule{Name: s.Name, Cron: s.Cron, Action: string(s.Action), NotOn: s.NotOn}
		if s.Spread > 0 {
			line.Spread = environment.FormatDuration(s.Spread)
		}
		d.Schedules = append(d.Schedules, line)
	}
	for _, m := range k.Members {
		d.Members = append(d.Members, wireMember(m))
	}
	return d
}
