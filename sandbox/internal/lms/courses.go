package lms

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

func (p *Platform) serveCourses(w http.ResponseWriter, _ *http.Request) {
	p.tell(w, func() (any, error) {
		return map[string]any{"courses": p.memory.Courses, "people": p.memory.People}, nil
	})
}

// courseChange makes a course or changes one; what is absent stays.
type courseChange struct {
	ID      string  `json:"id"`
	Label   *string `json:"label"`
	Title   *string `json:"title"`
	Tool    *string `json:"tool"`
	Feed    *string `json:"feed"`
	Members int     `json:"members"` // students to make and enroll, silently
	Ended   *bool   `json:"ended"`
	Silent  bool    `json:"silent"` // tell the tool nothing
}

// maxMembers bounds the people that one request makes.
const maxMembers = 5000

// putCourse makes or changes a course and tells its tool.
func (p *Platform) putCourse(w http.ResponseWriter, r *http.Request) {
	var change courseChange
	if err := respond.Read(w, r, &change); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	p.tell(w, func() (any, error) { return p.applyCourse(change) })
}

func (p *Platform) applyCourse(change courseChange) (*Course, error) {
	if err := p.checkCourse(change); err != nil {
		return nil, err
	}
	c, err := p.memory.course(change.ID)
	created := err != nil
	if created {
		c = &Course{ID: change.ID, Number: p.memory.number(), Label: change.ID, Title: change.ID, Tool: p.memory.Tools[0].ClientID, Feed: Standard}
		p.memory.Courses = append(p.memory.Courses, c)
	}
	for _, text := range []struct{ to, from *string }{{&c.Label, change.Label}, {&c.Title, change.Title}, {&c.Tool, change.Tool}, {&c.Feed, change.Feed}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	for range min(change.Members, maxMembers) {
		login := "m" + strconv.Itoa(len(p.memory.People))
		p.memory.enroll(c, p.memory.addPerson(login, "Student "+login, login+"@"+p.cfg.Mail), Student, time.Now())
	}
	ends := change.Ended != nil && *change.Ended && !c.Ended
	if change.Ended != nil {
		c.Ended = *change.Ended
	}
	switch {
	case change.Silent:
	case created:
		p.tellTool(c, CourseCreated, nil, Member{})
	case ends:
		p.tellTool(c, CourseEnded, nil, Member{})
	}
	p.changed()
	return c, nil
}

func (p *Platform) checkCourse(change courseChange) error {
	if change.ID == "" || change.ID != url.PathEscape(change.ID) || strings.Contains(change.ID, "/") {
		return respond.Invalid("id %q: letters and digits that need no escape in an address", change.ID)
	}
	if change.Feed != nil && !slices.Contains(feeds, *change.Feed) {
		return respond.Invalid("feed %q is none of %s", *change.Feed, strings.Join(feeds, ", "))
	}
	if change.Tool != nil {
		_, err := p.memory.tool(*change.Tool)
		return err
	}
	return nil
}

// memberChange enrolls, drops or gives another role.
type memberChange struct {
	Person string `json:"person"` // id, login or e-mail address; one who is not known is made of the next two
	Name   string `json:"name"`
	Email  string `json:"email"`
	Role   string `json:"role"` // "" drops
	Silent bool   `json:"silent"`
}

// changeMember edits the roster and tells the tool what changed.
func (p *Platform) changeMember(w http.ResponseWriter, r *http.Request) {
	var change memberChange
	if err := respond.Read(w, r, &change); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	p.tell(w, func() (any, error) { return p.applyMember(r.PathValue("course"), change) })
}

func (p *Platform) applyMember(course string, change memberChange) (*Course, error) {
	c, err := p.memory.course(course)
	if err != nil {
		return nil, err
	}
	if change.Role != "" && !slices.Contains([]string{Student, Teacher, Assistant}, change.Role) {
		return nil, respond.Invalid("role %q is none of %s, %s and %s", change.Role, Student, Teacher, Assistant)
	}
	who, err := p.memory.person(change.Person)
	if err != nil && (change.Name == "" || change.Email == "") {
		return nil, err
	}
	if err != nil {
		login := change.Person
		if login == "" {
			login, _, _ = strings.Cut(change.Email, "@")
		}
		who = p.memory.addPerson(login, change.Name, change.Email)
	}
	event, m := p.move(c, who, change.Role)
	if event != "" && !change.Silent {
		p.tellTool(c, event, who, m)
	}
	p.changed()
	return c, nil
}

// move gives a person a place, another or none, and says what that is called.
func (p *Platform) move(c *Course, who *Person, role string) (event string, m Member) {
	now, enrolled := c.member(who.ID)
	switch {
	case !enrolled && role == "", enrolled && now.Role == role:
		return "", Member{}
	case !enrolled:
		p.memory.enroll(c, who, role, time.Now())
		return Enrolled, c.Members[len(c.Members)-1]
	case role == "":
		m = *now
		c.Members = slices.DeleteFunc(c.Members, func(m Member) bool { return m.Person == who.ID })
		return Dropped, m
	default:
		now.Role = role
		return RoleChanged, *now
	}
}

// toolChange registers a tool by hand, or changes one; what is absent stays.
type toolChange struct {
	ClientID string   `json:"clientId"` // "" makes a new one
	Name     string   `json:"name"`
	URL      string   `json:"url"` // its base address; the others follow as daskbot's do
	Retries  []string `json:"retries"`
	NoEmail  *bool    `json:"noEmail"`
	On       bool     `json:"on"` // switches feeds on again that were switched off
}

func (p *Platform) putTool(w http.ResponseWriter, r *http.Request) {
	var change toolChange
	if err := respond.Read(w, r, &change); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	p.tell(w, func() (any, error) { return p.applyTool(change) })
}

// shownTool is a tool with what its administrator copies.
type shownTool struct {
	*Tool
	Platform Details `json:"platform"`
}

func (p *Platform) applyTool(change toolChange) (any, error) {
	for _, pause := range change.Retries {
		if _, err := time.ParseDuration(pause); err != nil {
			return nil, respond.Invalid("retries: %v", err)
		}
	}
	if u, err := url.Parse(change.URL); change.URL != "" && (err != nil || u.Host == "") {
		return nil, respond.Invalid("url %q is no http address", change.URL)
	}
	t := &Tool{Name: "daskbot", Scopes: []string{scopeMembers}}
	if change.ClientID != "" {
		var err error
		if t, err = p.memory.tool(change.ClientID); err != nil {
			return nil, err
		}
	} else {
		t.ClientID, t.Deployment = "1"+p.memory.number(), "1:"+random(20)
		p.memory.Tools = append(p.memory.Tools, t)
	}
	if change.Name != "" {
		t.Name = change.Name
	}
	if change.URL != "" {
		t.at(change.URL)
	}
	if change.Retries != nil {
		t.Retries = change.Retries
	}
	if change.NoEmail != nil {
		t.NoEmail = *change.NoEmail
	}
	if change.On {
		t.Off = ""
	}
	p.changed()
	return shownTool{t, p.details(t)}, nil
}

func (p *Platform) serveTools(w http.ResponseWriter, _ *http.Request) {
	p.tell(w, func() (any, error) {
		all := []shownTool{}
		for _, t := range p.memory.Tools {
			all = append(all, shownTool{t, p.details(t)})
		}
		return all, nil
	})
}
