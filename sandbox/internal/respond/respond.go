package respond

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
)

// MaxBody bounds a request's body, in bytes.
const MaxBody = 1 << 20

// refusal is an error that whoever asked is told, with its HTTP status.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// Refuse is a refusal in a sentence, for Error to answer with.
func Refuse(status int, message string) error { return &refusal{status, message} }

// Invalid is a refusal of what was sent: 400.
func Invalid(format string, args ...any) error {
	return Refuse(http.StatusBadRequest, fmt.Sprintf(format, args...))
}

// Missing is a refusal because there is no such thing: 404.
func Missing(format string, args ...any) error {
	return Refuse(http.StatusNotFound, fmt.Sprintf(format, args...))
}

// Read decodes a body strictly, so that a misspelt field is noticed. Its error
// is a refusal.
func Read(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return Invalid("the body: %v", err)
	}
	return nil
}

// JSON answers with a body.
func JSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	Body(w, body)
}

// Body is the body alone, for answers whose header is written.
func Body(w http.ResponseWriter, body any) {
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}

// Error answers with a refusal, and logs what is none.
func Error(w http.ResponseWriter, log *slog.Logger, err error) {
	var known *refusal
	if errors.As(err, &known) {
		JSON(w, known.status, map[string]string{"error": known.message})
		return
	}
	log.Error("request failed", "reason", err)
	JSON(w, http.StatusInternalServerError, map[string]string{"error": "The sandbox failed; its log says why."})
}
