package lms

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// notify tells the open pages that something changed; they ask for the state
// again. One that has not asked yet since the last time needs no second word.
// The caller holds the lock.
func (p *Platform) notify() {
	for watcher := range p.watchers {
		select {
		case watcher <- struct{}{}:
		default:
		}
	}
}

func (p *Platform) tellPages() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notify()
}

const (
	heartbeat = 20 * time.Second
	calm      = 100 * time.Millisecond // between two words to a page
)

// serveLive streams to a page, as server-sent events, when to look again.
func (p *Platform) serveLive(w http.ResponseWriter, r *http.Request) {
	watcher := make(chan struct{}, 1)
	p.mu.Lock()
	p.watchers[watcher] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.watchers, watcher)
		p.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	line := ": connected\n\n"
	for {
		if _, err := fmt.Fprint(w, line); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			line = ": still here\n\n"
		case <-watcher:
			if !wait(r.Context(), calm) {
				return
			}
			line = "data: changed\n\n"
		}
	}
}

// pageState is everything a person sees.
type pageState struct {
	Me         Person       `json:"me"`
	Role       string       `json:"role"` // in the course, "" outside
	People     []*Person    `json:"people"`
	Courses    []pageCourse `json:"courses"`
	Course     *Course      `json:"course"`
	Feeds      []string     `json:"feeds"`
	Deliveries []delivery   `json:"deliveries,omitempty"` // newest first
	Received   []received   `json:"received,omitempty"`   // newest first
	Tools      []shownTool  `json:"tools,omitempty"`
}

type pageCourse struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Label string `json:"label"`
	Role  string `json:"role"`
}

// shown is how many deliveries and hooks a page lists.
const shown = 50

// serveState is what a person sees when the page opens: students their
// courses, staff the roster and what was sent, administrators the tools too.
func (p *Platform) serveState(w http.ResponseWriter, r *http.Request) {
	p.tell(w, func() (any, error) {
		q := r.URL.Query()
		me := p.memory.People[0]
		if q.Get("as") != "" {
			var err error
			if me, err = p.memory.person(q.Get("as")); err != nil {
				return nil, err
			}
		}
		c, err := p.memory.course(q.Get("course"))
		if err != nil {
			return nil, err
		}
		return p.pageState(me, c), nil
	})
}

func (p *Platform) pageState(me *Person, c *Course) pageState {
	s := pageState{Me: *me, People: p.memory.People, Feeds: feeds, Courses: []pageCourse{}}
	for _, one := range p.memory.Courses {
		role := ""
		if m, enrolled := one.member(me.ID); enrolled {
			role = m.Role
		}
		if role != "" || me.Admin {
			s.Courses = append(s.Courses, pageCourse{one.ID, one.Title, one.Label, role})
		}
		if one == c {
			s.Role = role
		}
	}
	if s.Role == "" && !me.Admin {
		return s
	}
	s.Course = c
	if s.Role == Student {
		only := *c
		only.Members = nil
		s.Course, s.People = &only, people(me, p.memory.People)
		return s
	}
	s.Deliveries = newest(p.sent.of(c.ID))
	s.Received = newest(p.listReceived(c.Tool))
	if me.Admin {
		for _, t := range p.memory.Tools {
			s.Tools = append(s.Tools, shownTool{t, p.details(t)})
		}
	}
	return s
}

// people are those one can choose to be; a student's page needs no addresses
// of others.
func people(me *Person, all []*Person) []*Person {
	out := make([]*Person, 0, len(all))
	for _, one := range all {
		if one != me {
			one = &Person{ID: one.ID, Login: one.Login, Name: one.Name, Admin: one.Admin}
		}
		out = append(out, one)
	}
	return out
}

func newest[T any](all []T) []T {
	all = slices.Clone(all[max(0, len(all)-shown):])
	slices.Reverse(all)
	return all
}
