package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/daskbot/daskbot/internal/environment"
)

// touchPath is where notebooks keep their environment. Its last part is a
// secret, so it is never logged as it was sent.
const (
	touchPrefix = "/keep/"
	touchPath   = touchPrefix + ":id/:secret"
)

func (s *Server) touching() {
	s.engine.GET(touchPath, s.touch)
	s.engine.POST(touchPath, s.touch)
}

// touch answers a line of text: whoever asks is a script in a notebook.
func (s *Server) touch(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	d, err := environment.ParseDuration("for", c.DefaultQuery("for", "1h"))
	if err != nil {
		s.refuse(c, s.failed(c.Request.Context(), err))
		return
	}
	until, err := s.service.Touch(c.Request.Context(), c.Param("id"), c.Param("secret"), d)
	if err != nil {
		s.refuse(c, s.failed(c.Request.Context(), err))
		return
	}
	c.String(http.StatusOK, "Kept until %s.\n", until.UTC().Format("2006-01-02 15:04 MST"))
}
