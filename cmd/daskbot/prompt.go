package main

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// bodyWithin is how long a body may take to arrive, wherever it is sent and
// whether anybody reads it: what is not proved to come from somebody must not
// hold a connection for as long as it likes.
const bodyWithin = 10 * time.Second

// prompt bounds the time of every body. The deadline is of reading only, and
// ends with the body: an answer may take longer, and the server, which goes on
// listening for the end of the connection, must not take a passed deadline for
// that.
func prompt(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(bodyWithin)); err != nil {
			next.ServeHTTP(w, r) // the connection is gone, or has no deadlines
			return
		}
		r.Body = &promptBody{ReadCloser: r.Body, control: control}
		next.ServeHTTP(w, r)
	})
}

// promptBody lifts the deadline at the end of a body.
type promptBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *promptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{}) // a connection that is gone needs none
	}
	return n, err
}
