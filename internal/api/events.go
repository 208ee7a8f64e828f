package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/daskbot/daskbot/internal/environment"
)

const eventStream = "text/event-stream"

type eventsInput struct {
	PathID
	Accept string `header:"Accept" hidden:"true"`
	Last   string `header:"Last-Event-ID" maxLength:"200" doc:"In a stream: begin after this one, as EventSource does by itself." example:"12"`
	After  int64  `query:"after" minimum:"0" doc:"Begin after this seq." example:"12"`
	Cursor int64  `query:"cursor" minimum:"0" doc:"The next of the page before; another name for after." example:"12"`
	Limit  int    `query:"limit" default:"200" minimum:"1" maximum:"1000" doc:"At most so many; for the list only." example:"200"`
}

func (s *Server) events() {
	registry := s.api.OpenAPI().Components.Schemas
	add(s, huma.Operation{OperationID: "events", Method: http.MethodGet, Path: "/environments/{id}/events", Tags: []string{"environments"},
		Summary: "What happened to an environment",
		Description: "A list, oldest first. With `Accept: text/event-stream` a live stream: `id` is the seq, `event` the type, `data` an Event; " +
			"a comment every 15 seconds keeps it open; it ends at a terminal state. Reconnect with `Last-Event-ID`.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The events.", Content: map[string]*huma.MediaType{
				"application/json": {Schema: registry.Schema(eventsGoType, true, "ListEvent")},
				eventStream:        {Schema: &huma.Schema{Type: huma.TypeString, Description: "Server-sent events."}},
			}},
			"204": s.answer("A stream was asked for again, and nothing more will come: a terminal state was reached.", "", nil),
		}}, s.listOrFollow)
}

func (s *Server) listOrFollow(ctx context.Context, c call[eventsInput]) (*huma.StreamResponse, error) {
	c.in.After = max(c.in.After, c.in.Cursor)
	if strings.Contains(c.in.Accept, eventStream) {
		return s.followed(ctx, c)
	}
	events, err := s.service.Events(ctx, c.who, c.in.ID, c.in.After, c.in.Limit)
	if err != nil {
		return nil, err
	}
	body := List[Event]{Items: []Event{}}
	for _, e := range events {
		body.Items = append(body.Items, wireEvent(c.who, e))
	}
	if len(events) == c.in.Limit {
		body.Next = strconv.FormatInt(events[len(events)-1].Seq, 10)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		humagin.Unwrap(ctx).JSON(http.StatusOK, body)
	}}, nil
}

// followed begins a stream, or says with 204 that there is nothing to follow:
// that is how an EventSource learns to stop asking.
func (s *Server) followed(ctx context.Context, c call[eventsInput]) (*huma.StreamResponse, error) {
	e, err := s.service.Get(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	after := c.in.After
	again := c.in.Last != ""
	if last, err := strconv.ParseInt(c.in.Last, 10, 64); err == nil && last > after {
		after = last
	}
	if again && e.State.Terminal() {
		left, err := s.service.Events(ctx, c.who, c.in.ID, after, 1)
		if err != nil {
			return nil, err
		}
		if len(left) == 0 {
			return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
		}
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) { s.follow(ctx, c, after) }}, nil
}

// follow copies events to the client until a terminal state, the end of the
// request or of this server, or a client that takes no more.
func (s *Server) follow(hctx huma.Context, c call[eventsInput], after int64) {
	ctx, cancel := context.WithCancel(hctx.Context())
	defer cancel()
	out := s.stream(hctx, eventStream)
	if _, err := out.Write([]byte("retry: 2000\n\n")); err != nil {
		return
	}
	events, done := make(chan environment.Event), make(chan error, 1)
	go func() {
		done <- s.service.Follow(ctx, c.who, c.in.ID, after, func(e environment.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	if err := s.copyEvents(ctx, c.who, out, events, done); err != nil {
		return // the client is gone: nobody to tell
	}
}

func (s *Server) copyEvents(ctx context.Context, who environment.Caller, out *stream, events <-chan environment.Event, done <-chan error) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-s.closing:
			return nil // the reader reconnects, to a daskbot that goes on
		case e := <-events:
			err = writeEvent(out, wireEvent(who, e))
		case <-beat.C:
			_, err = out.Write([]byte(": heartbeat\n\n"))
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				_ = s.failed(ctx, err) // the client reconnects; the log says why
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

func writeEvent(out *stream, e Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, data)
	return err
}
