package api

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// stream writes an answer of no known length. The header goes out with the
// first byte, so that an error before it can still be a problem; every write
// is flushed and has a deadline of its own, which replaces the server's.
type stream struct {
	gin         *gin.Context
	control     *http.ResponseController
	contentType string
	begun       bool
}

func (s *Server) stream(ctx huma.Context, contentType string) *stream {
	c := humagin.Unwrap(ctx)
	return &stream{gin: c, control: http.NewResponseController(c.Writer), contentType: contentType}
}

// begin sends the header, once.
func (w *stream) begin() {
	if w.begun {
		return
	}
	w.begun = true
	h := w.gin.Writer.Header()
	h.Set("Content-Type", w.contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // else nginx keeps the stream to itself
	w.deadline()
	w.gin.Writer.WriteHeader(http.StatusOK)
	w.gin.Writer.Flush()
}

// Write sends p now.
func (w *stream) Write(p []byte) (int, error) {
	w.begin()
	w.deadline()
	n, err := w.gin.Writer.Write(p)
	if err == nil {
		w.gin.Writer.Flush()
	}
	return n, err
}

// deadline gives the next write its time. A writer that knows no deadlines (a
// test's recorder) has none to miss.
func (w *stream) deadline() {
	_ = w.control.SetWriteDeadline(time.Now().Add(writeTimeout))
}
