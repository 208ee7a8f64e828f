package lms

import (
	"net/http"
	"strconv"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// tellTool queues a notice the way that a course tells its tool. The caller
// holds the lock.
func (p *Platform) tellTool(c *Course, event string, who *Person, m Member) {
	if c.Feed == Nothing {
		return
	}
	if _, can := eventNames[c.Feed][event]; !can {
		return // as with the real one, the tool does not learn of it
	}
	if _, err := p.send(c, c.Feed, event, who, m, order{}); err != nil {
		p.cfg.Log.Error("a notice is lost", "reason", err)
	}
}

// order is how a notice is sent, when not as usual.
type order struct {
	Tamper string
	Delay  time.Duration
	ID     string
}

// send queues one notice. The caller holds the lock.
func (p *Platform) send(c *Course, feed, event string, who *Person, m Member, o order) (*delivery, error) {
	t, err := p.memory.tool(c.Tool)
	if err != nil {
		return nil, err
	}
	if t.HooksURL == "" {
		return nil, respond.Invalid("nobody said where the tool is: POST /lms/tools")
	}
	if err := checkTamper(feed, o.Tamper); err != nil {
		return nil, err
	}
	if o.ID == "" {
		o.ID = "msg_" + random(14)
	}
	now := time.Now()
	d := &delivery{
		At: now, Course: c.ID, Tool: t.ClientID, Feed: feed, Event: eventNames[feed][event], Tamper: o.Tamper, State: waiting, Attempts: []attempt{},
		URL: t.HooksURL + sourceNames[feed], delay: o.Delay, notice: notice{Event: event, Course: *c, Person: who, Member: m, At: now, id: o.ID},
	}
	if who != nil {
		d.Person = who.Name
	}
	if err := d.seal(p.memory.Secrets, p.memory.Events, now); err != nil {
		return nil, err
	}
	select {
	case p.pending <- d:
		p.sent.add(d)
		p.notify()
		return d, nil
	default:
		return nil, respond.Refuse(http.StatusTooManyRequests, "too many notices wait")
	}
}

// scripted is what POST /lms/events takes: any notice, the way the course
// tells its tool or another, once or many times.
type scripted struct {
	Course string `json:"course"`
	Feed   string `json:"feed"`
	Event  string `json:"event"`
	Person string `json:"person"`
	Role   string `json:"role"`
	Count  int    `json:"count"` // of copies, all at once
	Delay  string `json:"delay"`
	Tamper string `json:"tamper"`
	ID     string `json:"id"` // of the message, where a source has one
}

// postEvent sends a notice that need not be true: the roster stays as it is.
func (p *Platform) postEvent(w http.ResponseWriter, r *http.Request) {
	var s scripted
	if err := respond.Read(w, r, &s); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	p.tell(w, func() (any, error) { return p.sendScripted(s) })
}

func (p *Platform) sendScripted(s scripted) ([]int, error) {
	c, err := p.memory.course(s.Course)
	if err != nil {
		return nil, err
	}
	if s.Feed == "" {
		s.Feed = c.Feed
	}
	var who *Person
	m := Member{Role: Student, Enrollment: "0", Since: time.Now().UTC()}
	if s.Person != "" {
		if who, err = p.memory.person(s.Person); err != nil {
			return nil, err
		}
		if enrolled, is := c.member(who.ID); is {
			m = *enrolled
		}
	}
	if s.Role != "" {
		m.Role = s.Role
	}
	o := order{Tamper: s.Tamper, ID: s.ID}
	if s.Delay != "" {
		if o.Delay, err = time.ParseDuration(s.Delay); err != nil {
			return nil, respond.Invalid("delay: %v", err)
		}
	}
	if o.ID == "" {
		o.ID = "msg_" + random(14) // copies are copies
	}
	ids := []int{}
	for range max(s.Count, 1) {
		d, err := p.send(c, s.Feed, s.Event, who, m, o)
		if err != nil {
			return nil, err
		}
		ids = append(ids, d.ID)
	}
	return ids, nil
}

// serveDeliveries lists what was sent to tools, oldest first. ?course= leaves
// out the rest.
func (p *Platform) serveDeliveries(w http.ResponseWriter, r *http.Request) {
	respond.JSON(w, http.StatusOK, p.sent.of(r.URL.Query().Get("course")))
}

// replay sends a request again, byte for byte, as somebody who captured it
// would.
func (p *Platform) replay(w http.ResponseWriter, r *http.Request) {
	for _, d := range p.sent.of("") {
		if strconv.Itoa(d.ID) == r.PathValue("id") {
			respond.JSON(w, http.StatusOK, p.post(r.Context(), d.URL, d.Headers, d.Body))
			return
		}
	}
	respond.Error(w, p.cfg.Log, respond.Missing("no such request was sent"))
}
