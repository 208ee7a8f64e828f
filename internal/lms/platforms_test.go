package lms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// platform publishes keys as Canvas does.
type platform struct {
	t     *testing.T
	keys  jose.JSONWebKeySet
	asked atomic.Int32
	down  atomic.Bool
	url   string
}

func newPlatform(t *testing.T) *platform {
	p := &platform{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		if p.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(p.keys)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// key makes a key and publishes it.
func (p *platform) key(kid string) *rsa.PrivateKey {
	p.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, leastRSA)
	if err != nil {
		p.t.Fatal(err)
	}
	p.keys.Keys = append(p.keys.Keys, jose.JSONWebKey{Key: &key.PublicKey, KeyID: kid, Algorithm: "RS256", Use: "sig"})
	return key
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// enrolled is the example of Canvas's documentation, abridged.
const enrolled = `{"metadata":{"event_name":"enrollment_created","event_time":"2026-11-23T08:59:00Z","context_type":"Course","user_id":"21070000000000001","user_login":"admin@example.com"},
 "body":{"course_id":"21070000000000565","enrollment_id":"21070000000046825","type":"StudentEnrollment","user_id":"21070000000020064","user_name":"Test Student","workflow_state":"invited","updated_at":"2026-11-23T08:59:00Z"}}`

func canvasWorld(t *testing.T) (*world, *platform, *rsa.PrivateKey) {
	p := newPlatform(t)
	key := p.key("2026-11")
	return newWorld(t, Source{Name: "canvas", Kind: Canvas, JWKSURL: p.url}), p, key
}

func TestCanvas(t *testing.T) {
	w, p, key := canvasWorld(t)
	w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", enrolled)), http.StatusOK)
	w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", enrolled)), http.StatusOK)
	w.work("canvas")
	want := []environment.Member{{Subject: "canvas:21070000000020064", LMSID: "canvas:21070000000020064", Name: "Test Student", Role: environment.MemberStudent}}
	if diff := cmp.Diff(want, w.course().Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if got := w.deliveries(); len(got) != 1 || got[0].Copies != 1 {
		t.Errorf("got %+v; want one with a copy", got)
	}
	if n := len(w.environments()); n != 0 {
		t.Errorf("%d environments; want none: a roster change starts nothing", n)
	}
	gone := strings.NewReplacer(`"invited"`, `"deleted"`, "enrollment_created", "enrollment_updated", "08:59:00Z\"}}", "08:59:30Z\"}}",
		`"event_time":"2026-11-23T08:59:00Z"`, `"event_time":"2026-11-23T08:59:30Z"`).Replace(enrolled)
	w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", gone)), http.StatusOK)
	// Unordered as Canvas is, an older event comes after it.
	late := strings.Replace(enrolled, `"invited"`, `"active"`, 1)
	w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", late)), http.StatusOK)
	w.work("canvas")
	if got := w.course().Members; len(got) != 0 {
		t.Errorf("members: %+v; want nobody: what happened last counts", got)
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("the keys were asked for %d times; want once", n)
	}
}

// at sets when an event happened.
func at(event, when string) string { return strings.ReplaceAll(event, "08:59:00Z", when) }

// TestMovingBetweenSections: Canvas enrolls a student once in each section, and
// tells of the end of one and the begin of another in any order.
func TestMovingBetweenSections(t *testing.T) {
	const first, second = "21070000000046825", "21070000000046826"
	ended := strings.NewReplacer(`"invited"`, `"deleted"`, "enrollment_created", "enrollment_updated").Replace(enrolled)
	in := func(event, enrollment, when string) string {
		return at(strings.Replace(event, first, enrollment, 1), when)
	}
	for name, tt := range map[string]struct {
		events  []string
		members int
	}{
		"the new one, then the old one ends": {[]string{in(enrolled, first, "08:10:00Z"), in(enrolled, second, "08:20:00Z"), in(ended, first, "08:21:00Z")}, 1},
		"told the other way round":           {[]string{in(enrolled, first, "08:10:00Z"), in(ended, first, "08:21:00Z"), in(enrolled, second, "08:20:00Z")}, 1},
		"both end":                           {[]string{in(enrolled, first, "08:10:00Z"), in(enrolled, second, "08:20:00Z"), in(ended, first, "08:21:00Z"), in(ended, second, "08:22:00Z")}, 0},
		"the begin of one was never told":    {[]string{in(enrolled, second, "08:20:00Z"), in(ended, first, "08:21:00Z")}, 1},
		"no begin was told":                  {[]string{in(ended, first, "08:21:00Z")}, 0},
		"again, and ended":                   {[]string{in(enrolled, first, "08:10:00Z"), in(ended, first, "08:11:00Z"), in(enrolled, second, "08:12:00Z"), in(ended, second, "08:13:00Z")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, key := canvasWorld(t)
			for _, event := range tt.events {
				w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", event)), http.StatusOK)
				w.work("canvas")
			}
			if got := w.course().Members; len(got) != tt.members {
				t.Errorf("members: %+v, %+v; want %d", got, w.deliveries(), tt.members)
			}
		})
	}
}

// TestAnotherSchoolOfCanvas: all schools that Instructure hosts sign with the
// same keys. What another one sends is not proved, and without the school's
// name it is not believed of any course but by the course's own id.
func TestAnotherSchoolOfCanvas(t *testing.T) {
	const ours = "VicYj3cu5BIFpoZhDVU4DZumnlBrWi1grgJEzADs"
	of := func(account, event string) string {
		return strings.Replace(event, `"event_time"`, `"root_account_uuid":"`+account+`","event_time"`, 1)
	}
	p := newPlatform(t)
	key := p.key("2026-11")
	w := newWorld(t, Source{Name: "canvas", Kind: Canvas, JWKSURL: p.url, RootAccount: ours, CreateCourses: true})
	for _, other := range []string{of("mallory", enrolled), enrolled, of("", enrolled)} {
		w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", other)), http.StatusUnauthorized)
	}
	w.untouched()
	w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", of(ours, enrolled))), http.StatusOK)
	w.work("canvas")
	if got := w.course().Members; len(got) != 1 {
		t.Errorf("members: %+v; want the one that the school enrolled", got)
	}
	if err := Check(Source{Name: "canvas", Kind: Canvas, JWKSURL: p.url, CreateCourses: true}); err == nil || !strings.Contains(err.Error(), "rootAccount") {
		t.Errorf("making courses for any school: got %v; want rootAccount asked for", err)
	}
}

func TestAnySchoolIsBelievedOfBoundCoursesOnly(t *testing.T) {
	p := newPlatform(t)
	key := p.key("2026-11")
	w := newWorld(t, Source{Name: "canvas", Kind: Canvas, JWKSURL: p.url})
	w.apply(environment.Course{ID: "all", LMS: []environment.LMSBinding{{Source: "canvas"}}})
	other := strings.Replace(enrolled, "21070000000000565", "99990000000000001", 1)
	nowhere := strings.NewReplacer(`"course_id":"21070000000000565",`, "", "46825", "46826").Replace(enrolled)
	for _, event := range []string{other, nowhere} {
		w.status(w.request("canvas", sign(t, jose.RS256, key, "2026-11", event)), http.StatusOK)
	}
	w.work("canvas")
	if c, err := w.service.CourseDocument(t.Context(), admin, "all"); err != nil || len(c.Members) != 0 {
		t.Errorf("members: %+v, %v; want nobody", c.Members, err)
	}
	if got := w.deliveries(); len(got) != 2 || got[1].State != environment.DeliveryIgnored || !strings.Contains(got[1].Reason, "rootAccount") {
		t.Errorf("got %+v; want it ignored, saying what to set", got)
	}
}

func TestJWSThatProvesNothing(t *testing.T) {
	w, p, key := canvasWorld(t)
	stranger, err := rsa.GenerateKey(rand.Reader, leastRSA)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := sign(t, jose.RS256, key, "2026-11", enrolled)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	with := func(header string) string { return b64([]byte(header)) + "." + parts[1] + "." }
	jwk, _ := json.Marshal(jose.JSONWebKey{Key: &stranger.PublicKey})
	for name, body := range map[string]string{
		"unsigned":              enrolled,
		"alg none":              with(`{"alg":"none","kid":"2026-11"}`),
		"alg None":              with(`{"alg":"None","kid":"2026-11"}`) + parts[2],
		"no alg":                with(`{"kid":"2026-11"}`) + parts[2],
		"HS256, the public key": sign(t, jose.HS256, public, "2026-11", enrolled),
		"HS256, the DER":        sign(t, jose.HS256, der, "2026-11", enrolled),
		"RS512":                 sign(t, jose.RS512, key, "2026-11", enrolled),
		"a stranger's key":      sign(t, jose.RS256, stranger, "2026-11", enrolled),
		"a key it brings along": func() string {
			h := b64([]byte(`{"alg":"RS256","kid":"2026-11","jwk":` + string(jwk) + `}`))
			s := sign(t, jose.RS256, stranger, "2026-11", enrolled)
			return h + "." + parts[1] + "." + strings.Split(s, ".")[2]
		}(),
		"a key elsewhere": with(`{"alg":"RS256","kid":"2026-11","jku":"http://127.0.0.1:1/keys"}`) + parts[2],
		"no key named":    sign(t, jose.RS256, key, "", enrolled),
		"a path as key":   sign(t, jose.RS256, key, "../../dev/null", enrolled),
		"tampered":        parts[0] + "." + b64([]byte(strings.Replace(enrolled, "20064", "20065", 1))) + "." + parts[2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"as JSON":         `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"expired":         sign(t, jose.RS256, key, "2026-11", `{"exp":1700000000,`+enrolled[1:]),
		"nothing":         "",
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.status(w.request("canvas", body), http.StatusUnauthorized)
			w.untouched()
		})
	}
	if n := p.asked.Load(); n > keysBurst {
		t.Errorf("strangers made daskbot ask for the keys %d times; want %d at most within a minute", n, keysBurst)
	}
}

// One signed event that was kept for a month and sent again does nothing, also
// when everything about it was forgotten.
func TestAnOldEventSentAgain(t *testing.T) {
	w, _, key := canvasWorld(t)
	body := sign(t, jose.RS256, key, "2026-11", enrolled)
	w.now = w.now.Add(31 * 24 * time.Hour)
	w.status(w.request("canvas", body), http.StatusOK)
	undated := sign(t, jose.RS256, key, "2026-11", strings.Replace(enrolled, "event_time", "other_time", 1))
	w.status(w.request("canvas", undated), http.StatusOK)
	w.work("canvas")
	for _, d := range w.deliveries() {
		if d.State != environment.DeliveryIgnored {
			t.Errorf("got %s %q; want it ignored", d.State, d.Reason)
		}
	}
	if len(w.course().Members) != 0 {
		t.Error("somebody was enrolled")
	}
}

func TestKeysAreRotated(t *testing.T) {
	w, p, _ := canvasWorld(t)
	first := sign(t, jose.RS256, p.key("first"), "first", enrolled)
	w.status(w.request("canvas", first), http.StatusOK)
	next := p.key("next")
	second := sign(t, jose.RS256, next, "next", enrolled)
	w.status(w.request("canvas", second), http.StatusOK) // also right after the others were asked for
	unknown := sign(t, jose.RS256, next, "unknown", enrolled)
	for range 20 {
		w.status(w.request("canvas", unknown), http.StatusUnauthorized)
	}
	if n := p.asked.Load(); n != keysBurst {
		t.Errorf("the keys were asked for %d times; want %d", n, keysBurst)
	}
	w.now = w.now.Add(keysFloor)
	p.down.Store(true)
	w.now = w.now.Add(25 * time.Hour)
	w.status(w.request("canvas", second), http.StatusOK) // old keys are better than none
	p.down.Store(false)
	p.keys.Keys = p.keys.Keys[:1] // taken back
	w.now = w.now.Add(time.Minute)
	w.status(w.request("canvas", second), http.StatusUnauthorized)
}

func TestKeysThatCannotBeHadAreNobodysFault(t *testing.T) {
	w, p, key := canvasWorld(t)
	p.down.Store(true)
	r := w.serve(w.request("canvas", sign(t, jose.RS256, key, "2026-11", enrolled)))
	if r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" {
		t.Errorf("got %d; want 503: Canvas is to send it again", r.Code)
	}
	message := sign(t, jose.RS256, key, "2026-11", enrolled)
	for range 2 * keysBurst { // also while nobody asks again
		w.status(w.request("canvas", message), http.StatusServiceUnavailable)
	}
	if n := p.asked.Load(); n != keysBurst {
		t.Errorf("the keys were asked for %d times; want %d", n, keysBurst)
	}
	p.down.Store(false)
	w.now = w.now.Add(keysFloor)
	w.status(w.request("canvas", message), http.StatusOK)
	p.down.Store(true) // and what is known goes on, while another key is not had
	w.now = w.now.Add(keysFloor)
	w.status(w.request("canvas", sign(t, jose.RS256, p.key("next"), "next", enrolled)), http.StatusServiceUnavailable)
	w.status(w.request("canvas", message), http.StatusOK)
}

func TestWeakKeysAreNotTaken(t *testing.T) {
	for name, set := range map[string]string{
		"none": `{"keys":[]}`, "symmetric": `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`, "not keys": `[]`,
		"short": `{"keys":[{"kty":"RSA","kid":"a","n":"` + base64.RawURLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 127)...)) + `","e":"AQAB"}]}`,
	} {
		if keys, err := parseKeys([]byte(set)); err == nil {
			t.Errorf("%s: got %v; want an error", name, keys)
		}
	}
}

const moodleEnrolled = `{"eventname":"\\core\\event\\user_enrolment_created","component":"core","action":"created","target":"user_enrolment","objectid":41,"userid":"2","courseid":"7","relateduserid":"15","other":{"enrol":"manual"},"timecreated":1795424340,"host":"moodle.example.edu","token":"` + plainSecret + `","extra":""}`

func TestMoodle(t *testing.T) {
	form := url.Values{}
	for key, value := range map[string]string{"eventname": `\core\event\user_enrolment_created`, "courseid": "7", "relateduserid": "15", "userid": "2", "timecreated": "1795424341", "token": plainSecret} {
		form.Set(key, value)
	}
	template := `{"event":"{eventname}","email":"ada@b.edu","course":"7"}`
	for name, tt := range map[string]struct {
		body, contentType, header, subject string
		want                               int
	}{
		"JSON with a token":            {moodleEnrolled, "application/json", "", "moodle:15", 200},
		"a form with a token":          {form.Encode(), "application/x-www-form-urlencoded", "", "moodle:15", 200},
		"a form that says it is JSON":  {form.Encode(), "application/json", "", "moodle:15", 200},
		"a header":                     {strings.Replace(template, "{eventname}", `\\core\\event\\user_enrolment_created`, 1), "application/json", plainSecret, "ada@b.edu", 200},
		"a wrong header, right body":   {moodleEnrolled, "application/json", "another secret of that length", "", 401},
		"a wrong token":                {strings.Replace(moodleEnrolled, plainSecret, "wrong", 1), "application/json", "", "", 401},
		"a part of the token":          {strings.Replace(moodleEnrolled, plainSecret, plainSecret[:20], 1), "application/json", "", "", 401},
		"an empty token":               {strings.Replace(moodleEnrolled, plainSecret, "", 1), "application/json", "", "", 401},
		"a token that is no text":      {strings.Replace(moodleEnrolled, `"`+plainSecret+`"`, `["`+plainSecret+`"]`, 1), "application/json", "", "", 401},
		"no token":                     {`{"eventname":"x"}`, "application/json", "", "", 401},
		"a file upload with the token": {"--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n" + plainSecret + "\r\n--x--", "multipart/form-data; boundary=x", "", "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Source{Name: "moodle", Kind: Moodle, Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
			r := w.request("moodle", tt.body)
			r.Header.Set("Content-Type", tt.contentType)
			if tt.header != "" {
				r.Header.Set("Authorization", "Bearer "+tt.header)
			}
			w.status(r, tt.want)
			if tt.want != 200 {
				w.untouched()
				return
			}
			kept, err := w.store.Waiting(t.Context(), "moodle", 0)
			if err != nil || len(kept) != 1 || strings.Contains(string(kept[0].Body), plainSecret) || strings.Contains(string(kept[0].Body), url.QueryEscape(plainSecret)) {
				t.Errorf("kept %v, %v; want the message without its token", kept, err)
			}
			w.work("moodle")
			if got := w.course().Members; len(got) != 1 || got[0].Subject != tt.subject {
				t.Errorf("members: %+v, %+v; want %s", got, w.deliveries(), tt.subject)
			}
		})
	}
}

// A sender without ids that fills in a template says the same words when a
// student comes back: what came between makes them news.
func TestComingBackWithTheSameWords(t *testing.T) {
	w := newWorld(t, Source{Name: "moodle", Kind: Moodle, Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
	say := func(event string) {
		r := w.request("moodle", `{"event":"`+event+`","email":"ada@b.edu","course":"7"}`)
		r.Header.Set("Authorization", "Bearer "+plainSecret)
		w.status(r, http.StatusOK)
		w.work("moodle")
		w.now = w.now.Add(time.Minute)
	}
	for _, step := range []struct {
		event   string
		members int
	}{{"user_enrolment_created", 1}, {"user_enrolment_created", 1}, {"user_enrolment_deleted", 0}, {"user_enrolment_created", 1}} {
		say(step.event)
		if n := len(w.course().Members); n != step.members {
			t.Errorf("after %s: %d members; want %d", step.event, n, step.members)
		}
	}
	if n := len(w.deliveries()); n != 3 {
		t.Errorf("%d deliveries; want 3, one of them with a copy", n)
	}
}
