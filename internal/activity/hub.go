package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// What is remembered of a hub.
const (
	memoryUsers    = "hub.users"    // how many users it had
	memoryLast     = "hub.last"     // its latest use
	memoryStarting = "hub.starting" // since when a server is starting or stopping
)

// hub asks the hub itself, past its public proxy, and then every notebook.
func (l *look) hub(ctx context.Context) {
	pod, ok := one(l.pods.hubs)
	if !ok {
		l.memory.keep(memoryUsers, memoryLast, memoryStarting)
		l.unknown("hub", "the hub is not running", errors.New("no hub pod is running"))
		return
	}
	c := l.client(pod, hubPort, l.Plan.Credentials.Token)
	defer c.close()
	users, err := hubUsers(ctx, c)
	if err != nil {
		l.memory.keep(memoryUsers, memoryLast, memoryStarting)
		l.unknown("hub", "the hub does not answer", err)
		return
	}
	servers := l.judgeUsers(users, c.date)
	l.notebooks(ctx, servers)
}

// hubUser is a user as every JupyterHub from 3 on describes one. What the
// token may not see is not in the answer at all: the raw fields tell that from
// a null.
type hubUser struct {
	Name         string          `json:"name"`
	LastActivity json.RawMessage `json:"last_activity"`
	Servers      json.RawMessage `json:"servers"`

	last    time.Time
	servers map[string]hubServer
}

type hubServer struct {
	URL          string     `json:"url"` // "/user/alice/", or a whole address
	LastActivity *time.Time `json:"last_activity"`
	Started      *time.Time `json:"started"`
	Pending      *string    `json:"pending"` // spawn, stop or check
	Ready        bool       `json:"ready"`

	users, names []string // spellings of its user's name and of its own
}

// path is where in its pod the server is. A hub that gives every user a host of
// their own (subdomain_host) names a whole address, of which only this matters.
func (s hubServer) path() (string, error) {
	u, err := url.Parse(s.URL)
	if err != nil || !strings.HasPrefix(u.Path, "/") {
		return "", errors.New("the hub says no path of a server")
	}
	return strings.TrimSuffix(u.EscapedPath(), "/") + "/", nil
}

// A hub has at most so many users, in pages of so many: more are asked for
// nowhere, and an endless list must not keep a look busy.
const (
	pageSize = 200
	maxPages = 50
)

// hubUsers makes sure that it is a hub and lists its users.
func hubUsers(ctx context.Context, c *client) ([]hubUser, error) {
	var about struct {
		Version string `json:"version"`
	}
	if err := c.getJSON(ctx, "/hub/api/", &about); err != nil {
		return nil, err
	}
	if about.Version == "" {
		return nil, errors.New("GET /hub/api/ names no version")
	}
	var all []hubUser
	offset := 0
	for range maxPages {
		page, err := usersFrom(ctx, c, offset)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		// The next offset is the hub's: pages may hold less than was asked for.
		if page.Pagination.Next == nil || page.Pagination.Next.Offset <= offset {
			return all, nil
		}
		offset = page.Pagination.Next.Offset
	}
	return nil, fmt.Errorf("the hub lists more than %d pages of users", maxPages)
}

type userPage struct {
	Items      []hubUser `json:"items"`
	Pagination *struct {
		Next *struct {
			Offset int `json:"offset"`
		} `json:"next"`
	} `json:"_pagination"`
}

func usersFrom(ctx context.Context, c *client, offset int) (userPage, error) {
	var page userPage
	path := fmt.Sprintf("/hub/api/users?limit=%d&offset=%d", pageSize, offset)
	if err := c.getAs(ctx, path, "application/jupyterhub-pagination+json", &page); err != nil {
		return page, err
	}
	if page.Pagination == nil {
		return page, fmt.Errorf("GET %s: the answer has no pages", path)
	}
	for i := range page.Items {
		if err := page.Items[i].read(); err != nil {
			return page, err
		}
	}
	return page, nil
}

// read takes in the fields that the token's scopes decide on.
func (u *hubUser) read() error {
	if u.LastActivity == nil || u.Servers == nil {
		return fmt.Errorf("a user has no last_activity or no servers: %w", errDenied)
	}
	var last *time.Time
	if err := json.Unmarshal(u.LastActivity, &last); err != nil {
		return fmt.Errorf("last_activity of a user: %w", err)
	}
	if last != nil {
		u.last = *last
	}
	if err := json.Unmarshal(u.Servers, &u.servers); err != nil {
		return fmt.Errorf("servers of a user: %w", err)
	}
	return nil
}

// newest is the latest use that the hub knows of.
func newest(users []hubUser) time.Time {
	var last time.Time
	later := func(t *time.Time) {
		if t != nil && t.After(last) {
			last = *t
		}
	}
	for _, u := range users {
		later(&u.last)
		for _, s := range u.servers {
			later(s.LastActivity)
			later(s.Started)
		}
	}
	return last
}

// judgeUsers turns the hub's list into signals and returns the servers that
// are ready.
func (l *look) judgeUsers(users []hubUser, date time.Time) []hubServer {
	last := newest(users)
	if l.forgot(users, last) {
		return nil
	}
	message := "nobody has logged in"
	if !last.IsZero() {
		last = l.clamp(last, date)
		message = "the hub was last used at " + clock(last)
	}
	l.signal("hub", environment.SignalQuiet, last, message)
	var ready []hubServer
	for _, u := range users {
		for name, s := range u.servers {
			switch {
			case s.Pending != nil:
				l.pending(s, date)
			case s.Ready:
				s.users, s.names = spellings(u.Name), spellings(name)
				ready = append(ready, s)
			}
		}
	}
	return ready
}

// forgot reports whether the hub once knew of use and no longer does: it lost
// its database, and what it says now proves nothing. That stays so until
// somebody uses it again.
func (l *look) forgot(users []hubUser, last time.Time) bool {
	had, _ := strconv.Atoi(l.memory.get(memoryUsers))
	if had > 0 && len(users) == 0 || l.memory.get(memoryLast) != "" && last.IsZero() {
		l.memory.keep(memoryUsers, memoryLast)
		l.unknown("hub", "the hub has forgotten who used it", errors.New("the hub's database seems to be new"))
		return true
	}
	l.memory.set(memoryUsers, strconv.Itoa(len(users)))
	if !last.IsZero() {
		l.memory.set(memoryLast, last.UTC().Format(time.RFC3339))
	}
	return false
}

// startLimit is twice what a hub gives a notebook to start.
const startLimit = 10 * time.Minute

// pending judges a server on its way up or down. It is use, but one that never
// arrives must not count as use for ever.
func (l *look) pending(s hubServer, date time.Time) {
	from := l.Now
	if s.Started != nil && *s.Pending == "spawn" {
		from = l.clamp(*s.Started, date)
	}
	from = l.memory.since(memoryStarting, from)
	word := "starting"
	if *s.Pending != "spawn" {
		word = "stopping"
	}
	if took := l.Now.Sub(from); took > startLimit {
		l.unknown("server", "a notebook has been "+word+" for "+span(took), errors.New("pending "+span(took)))
		return
	}
	l.busy("server", "a notebook is "+word)
}

func clock(t time.Time) string { return t.UTC().Format("15:04 MST on 2 January") }

// span is a duration in words for people: whole minutes, and hours of them.
func span(d time.Duration) string { return environment.FormatDuration(d.Truncate(time.Minute)) }
