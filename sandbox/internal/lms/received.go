package lms

import (
	"crypto/hmac"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// box is a door for the hooks that a tool sends, and how it answers.
type box struct {
	Secret   string `json:"secret"`             // "" is the platform's own
	Answers  []int  `json:"answers,omitempty"`  // statuses of the next requests; then 200
	Redirect string `json:"redirect,omitempty"` // where requests are sent on to

	received []received
}

// received is one hook of a tool.
type received struct {
	Box     string            `json:"box"`
	At      time.Time         `json:"at"`
	ID      string            `json:"id"`
	Valid   bool              `json:"valid"`
	Problem string            `json:"problem,omitempty"` // why it is not
	Again   bool              `json:"again,omitempty"`   // the id came before
	Status  int               `json:"status"`            // that was answered
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// tolerance is how old a signed hook may be.
const tolerance = 5 * time.Minute

// box finds or makes a box. The caller holds the lock.
func (p *Platform) box(name string) *box {
	b, known := p.boxes[name]
	if !known {
		b = &box{}
		p.boxes[name] = b
	}
	return b
}

// receive takes a hook of a tool, checks its signature as Standard Webhooks
// says, and answers as scripted.
func (p *Platform) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		respond.Error(w, p.cfg.Log, respond.Invalid("the body: %v", err))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := r.PathValue("box")
	b := p.box(name)
	secret := b.Secret
	if secret == "" {
		secret = p.memory.Secrets.Outgoing
	}
	one := received{Box: name, At: time.Now(), ID: r.Header.Get("webhook-id"), Body: string(body), Headers: map[string]string{}, Status: http.StatusOK}
	for header, values := range r.Header {
		if header != "Authorization" {
			one.Headers[header] = strings.Join(values, ", ")
		}
	}
	one.Problem = checkHook(secret, r.Header, one.Body, one.At)
	one.Valid = one.Problem == ""
	for _, earlier := range b.received {
		one.Again = one.Again || one.ID != "" && earlier.ID == one.ID
	}
	switch {
	case b.Redirect != "":
		w.Header().Set("Location", b.Redirect)
		one.Status = http.StatusFound
	case len(b.Answers) > 0:
		one.Status, b.Answers = b.Answers[0], b.Answers[1:]
	case !one.Valid:
		one.Status = http.StatusUnauthorized
	}
	b.received = append(b.received, one)
	if len(b.received) > remembered {
		b.received = append([]received(nil), b.received[remembered/2:]...)
	}
	p.notify()
	w.WriteHeader(one.Status)
}

// checkHook says what is wrong with the signature of a hook, "" when nothing.
func checkHook(secret string, h http.Header, body string, now time.Time) string {
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return "webhook-timestamp is no time"
	}
	if age := now.Sub(time.Unix(at, 0)).Abs(); age > tolerance {
		return "webhook-timestamp is " + age.Round(time.Second).String() + " away"
	}
	want, err := signature(secret, h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	if err != nil {
		return "the secret of this box is not one of Standard Webhooks"
	}
	for _, got := range strings.Fields(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return ""
		}
	}
	return "no signature fits"
}

// serveReceived lists what tools sent, oldest first. ?box= leaves out the rest.
func (p *Platform) serveReceived(w http.ResponseWriter, r *http.Request) {
	p.tell(w, func() (any, error) { return p.listReceived(r.URL.Query().Get("box")), nil })
}

func (p *Platform) listReceived(name string) []received {
	all := []received{}
	for key, b := range p.boxes {
		if name == "" || key == name {
			all = append(all, b.received...)
		}
	}
	return all
}

// putBox says what secret a box knows and how it answers.
func (p *Platform) putBox(w http.ResponseWriter, r *http.Request) {
	var asked box
	if err := respond.Read(w, r, &asked); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	if _, err := signature(asked.Secret, "", "", ""); err != nil {
		respond.Error(w, p.cfg.Log, respond.Invalid("secret: %v", err))
		return
	}
	if _, err := url.Parse(asked.Redirect); err != nil {
		respond.Error(w, p.cfg.Log, respond.Invalid("redirect: %v", err))
		return
	}
	for _, status := range asked.Answers {
		if status < 200 || status > 599 {
			respond.Error(w, p.cfg.Log, respond.Invalid("%d is no final status", status))
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := r.PathValue("box")
	b := p.box(name)
	b.Secret, b.Answers, b.Redirect = asked.Secret, asked.Answers, asked.Redirect
	respond.JSON(w, http.StatusOK, map[string]any{"url": p.cfg.URL + "/inbox/" + name, "box": b})
}
