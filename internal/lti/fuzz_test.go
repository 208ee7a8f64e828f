package lti

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/daskbot/daskbot/internal/environment"
)

// FuzzLaunch: whatever comes to the launch's address, it is refused as the
// sender's fault, and nothing is done.
func FuzzLaunch(f *testing.F) {
	w := newWorld(f)
	l := w.login()
	for _, seed := range []string{"", "state=" + l.state + "&id_token=a.b.c", "state=e30.e30&id_token=x", "id_token=eyJhbGciOiJub25lIn0.e30.", "error=access_denied", "%zz", "a=1&a=2",
		"state=" + l.state + "&id_token=eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.AA&proof=x"} {
		f.Add(seed)
	}
	handler := w.tool.Handler()
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, launchPath, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range l.cookies {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if rec.Code < 400 || rec.Code > 499 {
			t.Errorf("%q: got %d %s; want a refusal", body, rec.Code, rec.Body)
		}
	})
}

// FuzzClaims: whatever a platform signs, what is taken over of it can be stored
// and shown.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":"$Person.name.full","email":"a@b"}`, `null`, `{"name":"\u202e\u0000"}`,
		`{"https://purl.imsglobal.org/spec/lti/claim/version":"1.3.0","https://purl.imsglobal.org/spec/lti/claim/message_type":"LtiResourceLinkRequest","https://purl.imsglobal.org/spec/lti/claim/context":{"id":"c"},"https://purl.imsglobal.org/spec/lti/claim/roles":["Learner","http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#X"]}`} {
		f.Add(seed, "alice")
	}
	f.Fuzz(func(t *testing.T, body, subject string) {
		var c claims
		if json.Unmarshal([]byte(body), &c) != nil {
			return
		}
		c.Issuer, c.Subject = "https://lms.example.edu", subject
		if c.check() != nil {
			return
		}
		switch role(c.Roles) {
		case "", environment.RoleStudent, environment.RoleStaff:
		default:
			t.Errorf("%q: got the role %q", body, role(c.Roles))
		}
		who := launchedBy(environment.Platform{Name: "canvas"}, c)
		if err := environment.ValidSubject("", who.Subject); err != nil || len(who.LMSID) > longestClaim {
			t.Errorf("%q: got %+v, %v", subject, who, err)
		}
		if strings.IndexFunc(c.Name+c.Email, unicode.IsControl) >= 0 || len(c.Name) > longestClaim {
			t.Errorf("%q: got %q, %q", body, c.Name, c.Email)
		}
		for _, origin := range frames(environment.Platform{Issuer: c.Issuer, AuthURL: c.Issuer}, c.Presentation.ReturnURL) {
			if strings.ContainsAny(origin, " ;,'\"\n") {
				t.Errorf("%q: got the origin %q", body, origin)
			}
		}
	})
}

// FuzzLogin: whatever begins a launch, the browser is sent to the platform or
// is told why not, and nothing of what a stranger wrote leads elsewhere.
func FuzzLogin(f *testing.F) {
	w := newWorld(f)
	form := loginForm(w)
	f.Add(form.Encode(), true)
	form.Set("lti_storage_target", "_parent")
	f.Add(form.Encode(), false)
	f.Add("iss=https%3A%2F%2Felsewhere.example&login_hint=x&target_link_uri="+url.QueryEscape(home+launchPath), true)
	f.Add("iss="+url.QueryEscape(w.school.url)+"&login_hint=%0d%0aSet-Cookie:a&target_link_uri="+url.QueryEscape(home+".elsewhere.example/"), true)
	f.Add("%zz&a=1&a=2", false)
	handler := w.tool.Handler()
	f.Fuzz(func(t *testing.T, text string, post bool) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, loginPath, nil)
		r.URL.RawQuery = text
		if post {
			r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, loginPath, strings.NewReader(text))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		switch to := rec.Header().Get("Location"); {
		case rec.Code == http.StatusFound && strings.HasPrefix(to, w.school.url+"/auth?") && !strings.ContainsAny(to, "\r\n"):
		case rec.Code == http.StatusOK && to == "": // the page that has the platform store the proof
		case rec.Code >= 400 && rec.Code < 500 && to == "":
		default:
			t.Errorf("%q: got %d to %q", text, rec.Code, to)
		}
	})
}

// FuzzRoster: whatever a platform calls a roster is read or refused, and what
// is read of a person can be stored.
func FuzzRoster(f *testing.F) {
	for _, seed := range []string{`{"members":[{"status":"Active","user_id":"1","name":"Ann","email":"a@b.c","roles":["Learner"]}]}`, `{"members":null}`, `{"members":[{}, null]}`, `[]`, ``,
		`{"members":[{"user_id":7}]}`, `{"members":[{"user_id":"\u0000","name":"\u202e","email":"a\u200b@b","roles":["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"]}]}`} {
		f.Add([]byte(seed))
	}
	p := environment.Platform{Name: "canvas", Issuer: "https://lms.example.edu"}
	f.Fuzz(func(t *testing.T, body []byte) {
		there, err := readMembers(body)
		if err != nil && there != nil {
			t.Errorf("%q: got members and %v", body, err)
		}
		for _, m := range there {
			c, what, ok := m.claims(p)
			if !ok {
				continue
			}
			who := launchedBy(p, c)
			if err := environment.ValidSubject("", who.Subject); err != nil || len(who.LMSID) > longestClaim || what == "" {
				t.Errorf("%+v: got %+v, %v", m, who, err)
			}
			if strings.IndexFunc(c.Name+c.Email, unicode.IsControl) >= 0 || len(c.Name) > longestName {
				t.Errorf("%+v: got %q, %q", m, c.Name, c.Email)
			}
		}
	})
}

// FuzzNextPage: a Link header leads to an address, or nowhere.
func FuzzNextPage(f *testing.F) {
	at, err := url.Parse("https://lms.example.edu/roster?page=1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`<https://lms.example.edu/roster?of=a,b&page=2>; rel="next"`)
	f.Add(`<//elsewhere.example/x>; rel=next, <?page=3>; rel="last next"`)
	f.Add(`<javascript:alert(1)>; rel=next`)
	f.Add(`<<<>>>;;;,,,rel="next`)
	f.Fuzz(func(t *testing.T, header string) {
		next := nextPage(at, []string{header})
		if next == "" || originOf(next) != originOf(at.String()) {
			return // the end, or refused by askRoster
		}
		if u, err := url.Parse(next); err != nil || u.Host != at.Host || u.Scheme != at.Scheme || u.User != nil {
			t.Errorf("%q: got %q, %v", header, next, err)
		}
	})
}

// FuzzKeySet: of what a platform publishes only public keys are kept.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","use":"sig","n":"AQAB","e":"AQAB"},{"kty":"oct","kid":"b","k":"AAAA"},{"kty":"unheard-of"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"","e":"AA"},7]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := readKeys(body)
		if err != nil && keys != nil {
			t.Errorf("%q: got keys and %v", body, err)
		}
		for _, key := range keys {
			if !key.IsPublic() || !key.Valid() || key.Use == "enc" {
				t.Errorf("%q: kept %+v", body, key)
			}
		}
	})
}

// FuzzDiscovery: whatever a platform tells of itself, what is taken leads
// neither into daskbot's own network nor, to register, anywhere else.
func FuzzDiscovery(f *testing.F) {
	const at = "https://lms.example.edu"
	f.Add([]byte(`{"issuer":"https://lms.example.edu","authorization_endpoint":"https://lms.example.edu/a","token_endpoint":"https://lms.example.edu/t","jwks_uri":"https://lms.example.edu/j","registration_endpoint":"https://lms.example.edu/r"}`), []byte(`{"client_id":"1"}`))
	f.Add([]byte(`{"issuer":"https://lms.example.edu","authorization_endpoint":"https://x","token_endpoint":"https://127.1","jwks_uri":"https://[::ffff:a00:1]","registration_endpoint":"https://lms.example.edu/r"}`), []byte(`{"client_id":7}`))
	f.Add([]byte(`[]`), []byte(`null`))
	f.Fuzz(func(t *testing.T, tells, answers []byte) {
		if answer, err := readRegistered(answers); err == nil && (answer.ClientID == "" || len(answer.ClientID) > longestClaim) {
			t.Errorf("%q: got the client id %q", answers, answer.ClientID)
		}
		var a about
		if json.Unmarshal(tells, &a) != nil || a.check(at) != nil {
			return
		}
		if originOf(a.Registration) != at {
			t.Errorf("%q: it is to be registered with at %q", tells, a.Registration)
		}
		for _, address := range []string{a.TokenURL, a.JWKSURL} {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "https" {
				t.Errorf("%q: took %q", tells, address)
				continue
			}
			if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()) {
				t.Errorf("%q: took %q", tells, address)
			}
		}
	})
}
