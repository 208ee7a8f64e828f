package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/daskbot/daskbot/internal/environment"
)

// QueuePath is where admins find the page about the queue.
const QueuePath = "/admin/river"

// queuePageAction is what the audit log calls a look at it that was refused.
const queuePageAction = "queuePage"

// What the page loads is its own; it sets styles from its scripts.
const queuePagePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *Server) queuePage(build func(prefix string) (http.Handler, error)) error {
	if build == nil {
		return nil
	}
	page, err := build(QueuePath)
	if err != nil {
		return err
	}
	serve := func(c *gin.Context) {
		if problem := s.adminOnPage(c); problem != nil {
			s.refuse(c, problem)
			if worthAudit(http.MethodGet, queuePageAction, c) {
				s.enter(c, queuePageAction, "")
			}
			return
		}
		ctx, cancel := context.WithTimeoutCause(c.Request.Context(), answerWithin, errOverdue)
		defer cancel()
		c.Header("Content-Security-Policy", queuePagePolicy)
		c.Header("Cache-Control", "private, no-cache")
		page.ServeHTTP(c.Writer, c.Request.WithContext(ctx))
	}
	s.engine.Any(QueuePath, serve)
	s.engine.Any(QueuePath+"/*path", serve)
	return nil
}

// adminOnPage lets admins in, with a token as for the API, or as the password
// that a browser asks for, with any name.
func (s *Server) adminOnPage(c *gin.Context) *Problem {
	authorization := c.GetHeader("Authorization")
	if _, token, ok := c.Request.BasicAuth(); ok {
		authorization = "Bearer " + token
	}
	who, problem := s.admitted(c, authorization)
	if problem != nil {
		if problem.Status == http.StatusUnauthorized {
			problem.headers.Set("WWW-Authenticate", `Basic realm="daskbot: an admin's token as the password", charset="UTF-8"`)
		}
		return problem
	}
	if err := environment.Authorize(who, environment.ActionAdminister, "", ""); err != nil {
		return s.failed(c.Request.Context(), err)
	}
	return nil
}
