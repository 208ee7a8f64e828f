package lms

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/daskbot/daskbot/internal/environment"
)

// FuzzTranslate: whatever was authentic is read, or refused, and what is read
// is bounded.
func FuzzTranslate(f *testing.F) {
	for _, seed := range []string{added, enrolled, moodleEnrolled, "eventname=%5Ccore%5Cevent%5Cuser_enrolment_created&courseid=7&relateduserid=15&other%5Benrol%5D=manual",
		`{"specversion":"1.0","type":"member.removed","source":"sis","id":"1","time":"2026-11-23T09:00:00Z","data":{"course":{"external_id":"7"},"members":[{"id":1,"role":"Instructor"},{"email":"A@B"}]}}`,
		`{"type":"class.start","data":null}`, `{"type":[],"data":{"user":[]}}`, `{"metadata":{"event_name":7},"body":[]}`, `[]`, `=`, "\xff", `{"type":"a"}{"type":"b"}`,
		`{"event_type":"org.openedx.learning.course.enrollment.created.v1","data":{"user":{"id":4,"pii":{"email":"x@y.z"}},"course":{"course_key":"course-v1:edX+D+1"}}}`} {
		f.Add("application/json", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		e, err := Translate(contentType, body)
		if err != nil {
			return
		}
		texts := []string{e.Course.Context, e.Course.Title, e.Name, e.about()}
		for _, p := range e.People {
			texts = append(texts, p.ID, p.Email, p.Name, p.Subject)
		}
		for _, text := range texts {
			if len(text) > 4*maxText || strings.ContainsAny(text, "\x00\n\r\u202e\u2028") || utf8.ValidString(string(body)) && !utf8.ValidString(text) {
				t.Errorf("%q is not tidy", text)
			}
		}
		if len(e.People) > maxPeople {
			t.Errorf("%d people", len(e.People))
		}
		_ = courseID("canvas", e.Course.Context)
	})
}

// FuzzVerify: nothing that was not signed is proved, by whatever verifier.
func FuzzVerify(f *testing.F) {
	standard, err := newStandard([]environment.Secret{environment.NewSecret(hookSecret)}, nil)
	if err != nil {
		f.Fatal(err)
	}
	moodle, err := newBearer([]environment.Secret{environment.NewSecret(plainSecret)}, true)
	if err != nil {
		f.Fatal(err)
	}
	canvas := jws{newKeySet("http://127.0.0.1:1", &http.Client{Timeout: time.Millisecond}), ""}
	now := time.Unix(1795424340, 0)
	f.Add("msg_1", "1795424340", "v1,AAAA", "Bearer x", "application/json", []byte(added))
	f.Add("", "", "v1a,", "", "application/x-www-form-urlencoded", []byte("token=x&event=y"))
	f.Add("1", "-1", " v1, v1,= ,", "Bearer ", "multipart/form-data", []byte(`{"token":["x"]}`))
	f.Add("1", "1795424340", "", "", "", []byte("eyJhbGciOiJub25lIn0.e30."))
	f.Add("1", "1795424340", "", "", "", []byte("eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.e30.AAAA"))
	f.Fuzz(func(t *testing.T, id, at, signature, auth, contentType string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/lms/x", nil)
		r.Header = http.Header{headerID: {id}, headerTimestamp: {at}, headerSignature: {signature}, "Authorization": {auth}, "Content-Type": {contentType}}
		if _, err := standard.Verify(r, body, now); err == nil {
			t.Error("a signature was made up")
		}
		if _, err := moodle.Verify(r, body, now); err == nil && !strings.Contains(auth+string(body), "a secret") && !strings.Contains(string(body), "%") && !strings.Contains(string(body), `\u`) {
			t.Error("a secret was made up")
		}
		if _, err := canvas.Verify(r, body, now); err == nil {
			t.Error("a JWS was made up")
		}
	})
}

// FuzzKeys: what a platform publishes is read or refused.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","use":"sig","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys(body)
		for kid, key := range keys {
			if err != nil || kid == "" || key.N.BitLen() < leastRSA {
				t.Errorf("key %q, %v: want none that weak", kid, err)
			}
		}
	})
}

// FuzzWithoutToken: the secret is never kept with the message.
func FuzzWithoutToken(f *testing.F) {
	f.Add("application/json", []byte(moodleEnrolled))
	f.Add("application/json", []byte("token=a+b&x=1"))
	f.Add("", []byte(`{"token":"a","Token":"b","token":"c"}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		token, rest := withoutToken(contentType, body)
		if token == "" {
			return
		}
		if again, _ := withoutToken(contentType, rest); again != "" {
			t.Errorf("%q still has a token", rest)
		}
	})
}
