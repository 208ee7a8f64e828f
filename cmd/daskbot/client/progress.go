package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/api"
)

const redraw = 120 * time.Millisecond

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// progress shows how far something is: on a terminal a line that is drawn
// again and again below the steps that are done, elsewhere a line an event.
type progress struct {
	world World
	width int // 0 when it is no terminal
	begun time.Time
	frame int

	now     api.Environment
	phase   string
	phaseAt time.Time
	drawn   bool
}

func (w World) progress(e api.Environment) *progress {
	return &progress{world: w, width: w.Width(), begun: w.Now(), now: e, phase: e.Phase, phaseAt: w.Now()}
}

// run carries out work while drawing, and returns its error.
func (p *progress) run(ctx context.Context, work func(ctx context.Context, show func(api.Event, api.Environment), notice func(string)) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type seen struct {
		event  api.Event
		now    api.Environment
		notice string
	}
	news, done := make(chan seen), make(chan error, 1)
	tell := func(s seen) {
		select {
		case news <- s:
		case <-ctx.Done():
		}
	}
	go func() {
		done <- work(ctx, func(e api.Event, now api.Environment) { tell(seen{event: e, now: now}) },
			func(sentence string) { tell(seen{notice: sentence}) })
	}()
	var ticks <-chan time.Time
	if p.width > 0 {
		ticker := time.NewTicker(redraw)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case s := <-news:
			if s.notice != "" {
				p.line(s.notice)
				continue
			}
			p.show(s.event, s.now)
		case <-ticks:
			p.draw()
		case err := <-done:
			return err
		}
	}
}

// show takes note of an event.
func (p *progress) show(e api.Event, now api.Environment) {
	p.now = now
	if p.width == 0 {
		p.line(p.world.eventLine(e) + p.left())
		return
	}
	if e.Phase != "" && e.Phase != p.phase {
		p.line(p.paint("32", "✓") + " " + p.phase + p.paint("2", "  "+roughly(e.At.Sub(p.phaseAt).Abs())))
		p.phase, p.phaseAt = e.Phase, e.At
	}
	if e.Type == "retry" || e.Type == "failed" || e.Type == "rolledback" {
		p.line(p.paint("31", "✗") + " " + oneLine(e.Message))
	}
	p.draw()
}

// line prints a line that stays.
func (p *progress) line(text string) {
	p.end()
	_, _ = fmt.Fprintln(p.world.Err, text) // nothing can be told to a terminal that is gone
}

// end wipes the line that is drawn again and again.
func (p *progress) end() {
	if p.drawn {
		_, _ = fmt.Fprint(p.world.Err, "\r\x1b[K")
		p.drawn = false
	}
}

// draw draws the line of now.
func (p *progress) draw() {
	p.frame++
	parts := []string{}
	if p.now.Estimate.Steps > 0 {
		parts = append(parts, fmt.Sprintf("step %d of %d", p.now.Estimate.Step, p.now.Estimate.Steps))
	}
	parts = append(parts, roughly(p.world.Now().Sub(p.begun)))
	text := strings.Join(parts, " · ") + p.left() + " · " + oneLine(p.now.Message) // last: it is what may be cut
	if room := p.width - 3; room > 0 && len([]rune(text)) > room {
		text = string([]rune(text)[:room-1]) + "…"
	}
	_, _ = fmt.Fprintf(p.world.Err, "\r\x1b[K%s %s", p.paint("36", string(spinner[p.frame%len(spinner)])), text)
	p.drawn = true
}

// left says when it will likely be ready.
func (p *progress) left() string {
	at := p.now.Estimate.ReadyAt
	if at == nil {
		return ""
	}
	left := at.Sub(p.world.Now())
	if left < time.Second {
		return " · any moment now"
	}
	if left > 2*time.Minute {
		left = left.Round(time.Minute)
	}
	return " · ready in about " + roughly(left)
}

func (p *progress) paint(colour, text string) string {
	if !p.world.colour() {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
