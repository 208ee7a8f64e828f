package compute

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// batch serves several requests in one, as gcloud sends them when it is given
// several names.
func (h *Handler) batch(w http.ResponseWriter, r *http.Request) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		writeError(w, cloud.Errorf(cloud.InvalidArgument, "The request is no batch."))
		return
	}
	var answer bytes.Buffer
	out := multipart.NewWriter(&answer)
	in := multipart.NewReader(http.MaxBytesReader(w, r.Body, maxBody), params["boundary"])
	for {
		part, err := in.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = h.batchPart(r, part, out)
		}
		if err != nil {
			writeError(w, cloud.Errorf(cloud.InvalidArgument, "The batch cannot be read: %v", err))
			return
		}
	}
	_ = out.Close() // into memory, it cannot fail
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+out.Boundary())
	_, _ = w.Write(answer.Bytes()) // the client is gone when this fails
}

func (h *Handler) batchPart(outer *http.Request, part *multipart.Part, out *multipart.Writer) error {
	// A part is a request without the trailing blank line that ReadRequest
	// wants when there is no body.
	raw, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	inner, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(raw), bytes.NewReader([]byte("\r\n\r\n")))))
	if err != nil {
		return err
	}
	inner = inner.WithContext(outer.Context())
	inner.Host = outer.Host
	if inner.Header.Get("Authorization") == "" {
		inner.Header.Set("Authorization", outer.Header.Get("Authorization"))
	}
	answer := &answerBuffer{header: http.Header{}, status: http.StatusOK}
	h.mux.ServeHTTP(answer, inner)
	header := textproto.MIMEHeader{"Content-Type": {"application/http"}}
	if id := part.Header.Get("Content-ID"); id != "" {
		header.Set("Content-ID", "<response-"+id[min(1, len(id)):])
	}
	target, err := out.CreatePart(header)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(target, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		answer.status, http.StatusText(answer.status), answer.body.Len()); err != nil {
		return err
	}
	_, err = target.Write(answer.body.Bytes())
	return err
}

// answerBuffer keeps the answer to one part of a batch.
type answerBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answerBuffer) Header() http.Header         { return a.header }
func (a *answerBuffer) WriteHeader(status int)      { a.status = status }
func (a *answerBuffer) Write(p []byte) (int, error) { return a.body.Write(p) }
