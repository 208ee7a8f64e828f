package lti

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/daskbot/daskbot/internal/environment"
)

// invite returns where the platform registers itself.
func (w *world) invite(name, platform string) string {
	w.t.Helper()
	link, _, err := w.service.InvitePlatform(w.t.Context(), admin, name, platform)
	if err != nil {
		w.t.Fatal(err)
	}
	_, path, _ := strings.Cut(link.Reveal(), "/lti/")
	return "/lti/" + path
}

func TestAPlatformRegistersItself(t *testing.T) {
	w := newWorld(t)
	path := w.invite("moodle", w.school.url)
	form := url.Values{"openid_configuration": {w.school.url + "/openid"}, "registration_token": {"r-1"}}
	rec := w.send(w.tool, http.MethodGet, path, form)
	if rec.Code != http.StatusOK || w.school.granted != "Bearer r-1" {
		t.Fatalf("got %d %s, granted %q; want 200", rec.Code, rec.Body, w.school.granted)
	}
	if w.school.got["jwks_uri"] != home+jwksPath || w.school.got["initiate_login_uri"] != home+loginPath || w.school.got["token_endpoint_auth_method"] != "private_key_jwt" {
		t.Errorf("the platform was told %v", w.school.got)
	}
	w.apply(environment.Course{ID: "physics", LMS: []environment.LMSBinding{{Source: "moodle"}}})
	tool := w.newTool() // another replica
	start := loginForm(w)
	start.Set("client_id", "registered-1")
	start.Set("lti_deployment_id", "1")
	login := w.send(tool, http.MethodGet, loginPath, start)
	to, err := url.Parse(login.Header().Get("Location"))
	if err != nil || login.Code != http.StatusFound {
		t.Fatalf("login: got %d %s", login.Code, login.Body)
	}
	l := started{to.Query().Get("state"), to.Query().Get("nonce"), login.Result().Cookies()}
	c := w.claims(l, "alice", "Learner")
	with(map[string]any{"aud": "registered-1", "azp": nil, claimOf + "deployment_id": "1", claimOf + "context": map[string]string{"id": "any"}})(c)
	launch := w.send(tool, http.MethodPost, launchPath, url.Values{"state": {l.state}, "id_token": {signWith(t, jose.RS256, w.school.key, "k1", c)}}, l.cookies...)
	if all := w.environments(); launch.Code != http.StatusOK || len(all) != 1 || all[0].Course != "physics" {
		t.Errorf("launch: got %d %s; want one in physics", launch.Code, launch.Body)
	}
	if again := w.send(w.tool, http.MethodGet, path, form); again.Code != http.StatusNotFound {
		t.Errorf("the same address again: got %d; want 404", again.Code)
	}
	if err := w.service.RemovePlatform(t.Context(), admin, "moodle"); err != nil {
		t.Fatal(err)
	}
	if rec := w.send(tool, http.MethodGet, loginPath, start); rec.Code != http.StatusNotFound {
		t.Errorf("once removed: got %d; want 404", rec.Code)
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		openid string // "" is the school's
		path   string // "" is the invited one
		later  time.Duration
		tells  map[string]string // of itself, otherwise than it is
		want   int
	}{
		"another platform":       {openid: "https://elsewhere.example.edu/openid", want: 400},
		"this machine's insides": {openid: "http://127.0.0.1:1/openid", want: 400},
		"no address":             {openid: "file:///etc/passwd", want: 400},
		"a guessed code":         {path: registerPath + "guessed", want: 404},
		"too late":               {later: 25 * time.Hour, want: 404},
		"nothing there":          {openid: "SCHOOL/nowhere", want: 503},
		"another's issuer":       {tells: map[string]string{"jwks_uri": "https://keys.example.edu"}, want: 409},
		"no issuer":              {tells: map[string]string{"issuer": ""}, want: 400},
		"keys over http":         {tells: map[string]string{"jwks_uri": "http://elsewhere.example.edu"}, want: 400},
		"registered elsewhere":   {tells: map[string]string{"registration_endpoint": "https://elsewhere.example.edu"}, want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t) // time passes in one
			w.school.tells = tt.tells
			path := w.invite("moodle", w.school.url)
			if tt.path != "" {
				path = tt.path
			}
			openid := w.school.url + "/openid"
			if tt.openid != "" {
				openid = strings.Replace(tt.openid, "SCHOOL", w.school.url, 1)
			}
			w.now = w.now.Add(tt.later)
			if rec := w.send(w.tool, http.MethodGet, path, url.Values{"openid_configuration": {openid}}); rec.Code != tt.want {
				t.Errorf("got %d %s; want %d", rec.Code, rec.Body, tt.want)
			}
			if got, _ := w.service.Platforms(t.Context()); len(got) != 0 || w.school.asked["/registration"] != 0 {
				t.Errorf("got %v; want nothing registered", got)
			}
		})
	}
}

// TestAnIssuerHasOneSetOfKeys: hosted platforms share an issuer among schools,
// and its keys; whoever names other keys would be everybody of the first.
func TestAnIssuerHasOneSetOfKeys(t *testing.T) {
	w := newWorld(t) // whose configuration has the school's issuer as canvas
	for _, step := range []struct {
		name, keys string
		want       int
	}{
		{"second", "/jwks", 200}, {"third", "/other", 409},
		{"third", "/jwks", 409}, // the client id that the second has
		{"second", "/jwks", 200},
	} {
		w.school.tells = map[string]string{"jwks_uri": w.school.url + step.keys}
		rec := w.send(w.tool, http.MethodGet, w.invite(step.name, w.school.url), url.Values{"openid_configuration": {w.school.url + "/openid"}})
		if rec.Code != step.want {
			t.Errorf("%+v: got %d %s", step, rec.Code, rec.Body)
		}
	}
}

// TestAPlatformDoesNotLeadInside: what daskbot asks itself is not in its own
// network, unless the platform is.
func TestAPlatformDoesNotLeadInside(t *testing.T) {
	const public = "https://moodle.example.edu"
	for _, tt := range []struct {
		home, host string
		good       bool
	}{
		{public, "moodle.example.edu", true}, {public, "keys.example.edu", true}, {public, "203.0.113.7", true},
		{public, "127.0.0.1", false}, {public, "localhost", false}, {public, "a.localhost", false}, {public, "localhost.", false}, {public, "127.1", false},
		{public, "2130706433", false}, {public, "0x7f.0.0.1", false}, {public, "10.1.2.3", false}, {public, "192.168.0.1", false}, {public, "169.254.169.254", false},
		{public, "100.64.0.1", false}, {public, "[::1]", false}, {public, "[fd00::1]", false}, {public, "[fe80::1%25eth0]", false}, {public, "[::ffff:10.0.0.1]", false}, {public, "0.0.0.0", false},
		{"https://10.1.2.3", "10.1.2.3", true}, {"https://10.1.2.3", "10.1.2.4", false}, {"http://localhost:1", "127.0.0.1", true},
	} {
		for _, field := range []string{"jwks", "token"} {
			a := about{Issuer: tt.home, AuthURL: tt.home, TokenURL: tt.home, JWKSURL: tt.home, Registration: tt.home + "/r"}
			if field == "jwks" {
				a.JWKSURL = "https://" + tt.host + "/x"
			} else {
				a.TokenURL = "https://" + tt.host + "/x"
			}
			if err := a.check(tt.home); (err == nil) != tt.good {
				t.Errorf("%s of %s at %s: got %v; want good: %t", field, tt.home, tt.host, err, tt.good)
			}
		}
	}
}

func TestOnlyAdminsInvite(t *testing.T) {
	w := newWorld(t)
	prof := environment.Caller{Subject: "prof", Role: environment.RoleStaff, Courses: []string{"de-2026"}}
	if _, _, err := w.service.InvitePlatform(t.Context(), prof, "moodle", w.school.url); environment.CodeOf(err) != environment.CodeForbidden {
		t.Errorf("got %v; want forbidden", err)
	}
	for _, home := range []string{"http://moodle.example.edu", "ftp://moodle.example.edu", "https://u:p@moodle.example.edu", ""} {
		if _, _, err := w.service.InvitePlatform(t.Context(), admin, "moodle", home); environment.CodeOf(err) != environment.CodeInvalid {
			t.Errorf("%q: got %v; want invalid", home, err)
		}
	}
}

func TestALinkForACourse(t *testing.T) {
	w := newWorld(t)
	deep := map[string]any{claimOf + "message_type": deepLinking, claimOf + "context": nil, claimOf + "target_link_uri": nil,
		"https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings": map[string]any{"deep_link_return_url": w.school.url + "/return", "data": "d-1"}}
	w.wantNothing(t, w.launch("alice", "Learner", with(deep)), http.StatusForbidden)
	rec := w.launch("prof", "Instructor", with(deep))
	_, rest, found := strings.Cut(rec.Body.String(), `name="JWT" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if rec.Code != http.StatusOK || !found {
		t.Fatalf("got %d %s; want the link", rec.Code, rec.Body)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(w.toolKeys(t).Keys[0])
	if err != nil || !strings.Contains(string(payload), `"LtiDeepLinkingResponse"`) || !strings.Contains(string(payload), `"d-1"`) || !strings.Contains(string(payload), home+launchPath) {
		t.Errorf("got %s, %v", payload, err)
	}
}
