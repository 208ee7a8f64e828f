package lms

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

const rosterMedia = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"

// rosterMember is somebody as the Names and Roles service lists them.
type rosterMember struct {
	Status string   `json:"status"`
	Name   string   `json:"name,omitempty"`
	Email  string   `json:"email,omitempty"`
	SIS    string   `json:"lis_person_sourcedid,omitempty"`
	ID     string   `json:"user_id"`
	Roles  []string `json:"roles"`
}

// roster is the Names and Roles service: the members of a course, a page at a
// time. Those who left are not listed, as with Canvas.
func (p *Platform) roster(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.memory.course(r.PathValue("course"))
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	client, ok := p.allowed(r, scopeMembers)
	if !ok || client != c.Tool {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		respond.Error(w, p.cfg.Log, respond.Refuse(http.StatusUnauthorized, "the access token does not open the roster of this course"))
		return
	}
	s := p.script(onRoster, c.ID)
	if s != nil && rosterFails(w, s.Kind) {
		return
	}
	q := r.URL.Query()
	all := p.listRoster(c, s, q.Get("role"))
	size := p.pageSize
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		size = min(n, size)
	}
	page, err := strconv.Atoi(q.Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	first := min((page-1)*size, len(all))
	last := min(first+size, len(all))
	if next := p.nextPage(c, q, s, page, last < len(all)); next != "" {
		w.Header().Set("Link", "<"+next+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", rosterMedia)
	w.WriteHeader(http.StatusOK)
	respond.Body(w, map[string]any{
		"id": p.rosterURL(c), "context": map[string]string{"id": c.ID, "label": c.Label, "title": c.Title}, "members": all[first:last],
	})
}

func (p *Platform) rosterURL(c *Course) string {
	return p.cfg.URL + "/api/lti/courses/" + c.ID + "/names_and_roles"
}

// nextPage is where the next page is, "" after the last.
func (p *Platform) nextPage(c *Course, q url.Values, s *script, page int, more bool) string {
	if s != nil && s.Kind == "roster-elsewhere" {
		return "http://127.0.0.1:1/names_and_roles?page=2"
	}
	if s != nil && s.Kind == "roster-loop" {
		return p.rosterURL(c) + "?page=" + strconv.Itoa(page)
	}
	if !more {
		return ""
	}
	next := url.Values{}
	for _, name := range []string{"role", "limit"} {
		if q.Get(name) != "" {
			next.Set(name, q.Get(name))
		}
	}
	next.Set("page", strconv.Itoa(page+1))
	return p.rosterURL(c) + "?" + next.Encode()
}

// listRoster is everybody who is in a course, honest or as scripted.
func (p *Platform) listRoster(c *Course, s *script, role string) []rosterMember {
	t, err := p.memory.tool(c.Tool)
	private := err == nil && t.NoEmail
	all := []rosterMember{}
	for _, m := range c.Members {
		who, err := p.memory.person(m.Person)
		if err != nil {
			continue // people are never removed
		}
		one := rosterMember{Status: "Active", ID: who.ID, Roles: roleNames(m.Role), SIS: who.SIS}
		if !private {
			one.Name, one.Email = who.Name, who.Email
		}
		all = append(all, one)
	}
	if s != nil {
		all = swell(all, s)
	}
	if role != "" {
		all = slices.DeleteFunc(all, func(m rosterMember) bool { return !slices.Contains(m.Roles, role) })
	}
	return all
}

// swell adds those whom a script wants to see.
func swell(all []rosterMember, s *script) []rosterMember {
	extra := func(id, name, email string) {
		all = append(all, rosterMember{Status: "Active", ID: id, Name: name, Email: email, Roles: roleNames(Student)})
	}
	switch s.Kind {
	case "roster-bomb":
		for i := range s.Value {
			extra(fmt.Sprintf("bomb-%d", i), fmt.Sprintf("Student %d", i), fmt.Sprintf("bomb-%d@sandbox-university.example", i))
		}
	case "roster-twice":
		all = append(all, all...)
	case "roster-odd":
		extra("odd-1", "Zoë \u202eevil\u202c", "ZOE@sandbox-university.example")
		extra("odd-2", "=cmd|' /C calc'!A0", "zoe@sandbox-university.example")
		extra("odd-3", "\u0000\u200b", "not an address")
		extra("", "No id", "no-id@sandbox-university.example")
	}
	return all
}

func rosterFails(w http.ResponseWriter, kind string) bool {
	switch kind {
	case "roster-500":
		http.Error(w, "down", http.StatusInternalServerError)
	case "roster-garbage":
		_, _ = io.WriteString(w, `{"members": [`) // the client is gone when this fails
	default:
		return false
	}
	return true
}
