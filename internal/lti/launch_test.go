package lti

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"crypto/x509"

	"github.com/go-jose/go-jose/v4"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestAStudentIsLaunched(t *testing.T) {
	w := newWorld(t)
	rec := w.launch("alice", "Learner")
	if rec.Code != http.StatusOK {
		t.Fatalf("got %d %s; want 200", rec.Code, rec.Body)
	}
	all := w.environments()
	if len(all) != 1 || all[0].Owner != "canvas:alice" || all[0].Course != "de-2026" {
		t.Fatalf("got %+v; want one of canvas:alice in the course", all)
	}
	m, ok := w.course().Member("canvas:alice")
	if !ok || m.Role != environment.MemberStudent || m.LMSID != w.school.url+"#alice" || m.Name != "Alice" || m.Email != "" {
		t.Errorf("the member is %+v, %v", m, ok)
	}
	csp := rec.Header().Get("Content-Security-Policy")
	if !strings.HasSuffix(csp, "frame-ancestors "+w.school.url+" https://school.example.edu") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
	if rec.Header().Get("X-Frame-Options") != "" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", rec.Header())
	}
	w.launch("alice", "Learner")
	if all := w.environments(); len(all) != 1 {
		t.Errorf("a second launch: got %d environments; want the same one", len(all))
	}
}

func TestCookiesWorkInFrames(t *testing.T) {
	w := newWorld(t)
	for _, c := range append(w.login().cookies, w.launch("alice", "Learner").Result().Cookies()...) {
		if !strings.HasPrefix(c.Name, "__Host-daskbot-") || !c.Secure || !c.HttpOnly || !c.Partitioned || c.SameSite != http.SameSiteNoneMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie is %s", c)
		}
	}
}

// TestCookiesOfNeighbours: a neighbouring host can set a cookie for this one,
// but none with the prefix.
func TestCookiesOfNeighbours(t *testing.T) {
	w := newWorld(t)
	l := w.login()
	token := signWith(t, jose.RS256, w.school.key, "k1", w.claims(l, "alice", "Learner"))
	unprefixed := func(cookies []*http.Cookie) []*http.Cookie {
		var out []*http.Cookie
		for _, c := range cookies {
			out = append(out, &http.Cookie{Name: strings.TrimPrefix(c.Name, secureCookie), Value: c.Value})
		}
		return out
	}
	form := url.Values{"state": {l.state}, "id_token": {token}}
	w.wantNothing(t, w.send(w.tool, http.MethodPost, launchPath, form, unprefixed(l.cookies)...), http.StatusUnauthorized)
	rec := w.send(w.tool, http.MethodPost, launchPath, form, l.cookies...)
	for _, c := range rec.Result().Cookies() {
		sid, found := strings.CutPrefix(c.Name, secureCookie+sessionCookie(""))
		if !found {
			continue
		}
		if got := w.send(w.tool, http.MethodGet, pagePath+"/"+sid, nil, unprefixed([]*http.Cookie{c})...); got.Code != http.StatusUnauthorized {
			t.Errorf("the page with a neighbour's cookie: got %d; want 401", got.Code)
		}
		if got := w.send(w.tool, http.MethodGet, pagePath+"/"+sid, nil, c); got.Code != http.StatusOK {
			t.Errorf("the page with its own: got %d; want 200", got.Code)
		}
		return
	}
	t.Fatalf("the launch left no session: %d %v", rec.Code, rec.Result().Cookies())
}

func TestATeacherSeesTheClass(t *testing.T) {
	w := newWorld(t)
	w.launch("alice", "Learner")
	rec := w.launch("prof", "Instructor")
	page := rec.Body.String()
	if rec.Code != http.StatusOK || !strings.Contains(page, "canvas:alice") || !strings.Contains(page, "Start for everybody") {
		t.Fatalf("got %d %s; want the class", rec.Code, page)
	}
	if all := w.environments(); len(all) != 1 {
		t.Errorf("got %d environments; want alice's alone", len(all))
	}
	if m, _ := w.course().Member("canvas:prof"); m.Role != environment.MemberStaff {
		t.Errorf("the teacher is %+v; want staff", m)
	}
}

// TestHostileLaunches: each is refused with the right status, and nothing is
// done.
func TestHostileLaunches(t *testing.T) {
	publicPEM := func() []byte {
		der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	tests := []struct {
		name  string
		claim map[string]any
		sign  func(w *world, claims map[string]any) string
		want  int
	}{
		{name: "another audience", claim: map[string]any{"aud": "another", "azp": nil}, want: 401},
		{name: "several audiences, no party", claim: map[string]any{"aud": []string{clientID, "another"}, "azp": nil}, want: 401},
		{name: "another party", claim: map[string]any{"aud": []string{clientID, "another"}, "azp": "another"}, want: 401},
		{name: "another issuer", claim: map[string]any{"iss": "https://elsewhere.example.edu"}, want: 401},
		{name: "unknown deployment", claim: map[string]any{claimOf + "deployment_id": "8:else"}, want: 403},
		{name: "no deployment", claim: map[string]any{claimOf + "deployment_id": nil}, want: 403},
		{name: "another nonce", claim: map[string]any{"nonce": "another"}, want: 401},
		{name: "no nonce", claim: map[string]any{"nonce": nil}, want: 401},
		{name: "expired", claim: map[string]any{"exp": time.Now().Add(-2 * time.Minute).Unix()}, want: 401},
		{name: "no end", claim: map[string]any{"exp": nil}, want: 401},
		{name: "from the future", claim: map[string]any{"iat": time.Now().Add(5 * time.Minute).Unix()}, want: 401},
		{name: "no time", claim: map[string]any{"iat": nil}, want: 401},
		{name: "not yet good", claim: map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}, want: 401},
		{name: "another version", claim: map[string]any{claimOf + "version": "1.1.0"}, want: 401},
		{name: "another message", claim: map[string]any{claimOf + "message_type": "LtiSubmissionReviewRequest"}, want: 401},
		{name: "no message", claim: map[string]any{claimOf + "message_type": nil}, want: 401},
		{name: "another target", claim: map[string]any{claimOf + "target_link_uri": "https://elsewhere.example.edu/lti/launch"}, want: 401},
		{name: "nobody", claim: map[string]any{"sub": nil}, want: 400},
		{name: "a name of 300 letters", claim: map[string]any{"sub": strings.Repeat("a", 300)}, want: 400},
		{name: "no course", claim: map[string]any{claimOf + "context": nil}, want: 400},
		{name: "no roles", claim: map[string]any{claimOf + "roles": nil}, want: 403},
		{name: "a role elsewhere", claim: map[string]any{claimOf + "roles": []string{"http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"}}, want: 403},
		{name: "claims of other kinds", claim: map[string]any{claimOf + "roles": "Learner"}, want: 401},
		{name: "a course that is not connected", claim: map[string]any{claimOf + "context": map[string]string{"id": "ctx-2"}}, want: 404},
		{name: "unsigned", want: 401, sign: func(_ *world, c map[string]any) string {
			body, _ := json.Marshal(c)
			encode := base64.RawURLEncoding.EncodeToString
			return encode([]byte(`{"alg":"none","kid":"k1"}`)) + "." + encode(body) + "."
		}},
		{name: "the public key as a shared secret", want: 401, sign: func(_ *world, c map[string]any) string {
			return signWith(t, jose.HS256, publicPEM(), "k1", c)
		}},
		{name: "another key of that name", want: 401, sign: func(_ *world, c map[string]any) string {
			return signWith(t, jose.RS256, otherKey(), "k1", c)
		}},
		{name: "an unknown key", want: 401, sign: func(_ *world, c map[string]any) string {
			return signWith(t, jose.RS256, otherKey(), "k9", c)
		}},
		{name: "another algorithm", want: 401, sign: func(w *world, c map[string]any) string {
			return signWith(t, jose.PS256, w.school.key, "k1", c)
		}},
		{name: "tampered with", want: 401, sign: func(w *world, c map[string]any) string {
			token := strings.Split(signWith(t, jose.RS256, w.school.key, "k1", c), ".")
			c["sub"] = "mallory"
			body, _ := json.Marshal(c)
			return token[0] + "." + base64.RawURLEncoding.EncodeToString(body) + "." + token[2]
		}},
		{name: "no token", want: 401, sign: func(*world, map[string]any) string { return "no.token.atall" }},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.now = w.now.Add(keysFloor) // an unknown key may be asked for again
			l := w.login()
			c := w.claims(l, "alice", "Learner")
			with(tt.claim)(c)
			sign := tt.sign
			if sign == nil {
				sign = func(w *world, c map[string]any) string { return signWith(t, jose.RS256, w.school.key, "k1", c) }
			}
			rec := w.send(w.tool, http.MethodPost, launchPath, url.Values{"state": {l.state}, "id_token": {sign(w, c)}}, l.cookies...)
			w.wantNothing(t, rec, tt.want)
		})
	}
}

// wantNothing checks that a refusal has its status, says nothing of the inside,
// and left no trace.
func (w *world) wantNothing(t *testing.T, rec *httptest.ResponseRecorder, want int) {
	t.Helper()
	if rec.Code != want {
		t.Errorf("got %d %s; want %d", rec.Code, rec.Body, want)
	}
	for _, inside := range []string{"oidc", "jose", "jwt", "signature", "data-session"} {
		if strings.Contains(rec.Body.String(), inside) {
			t.Errorf("the page tells of %q: %s", inside, rec.Body)
		}
	}
	if all, members := w.environments(), w.course().Members; len(all) != 0 || len(members) != 0 {
		t.Errorf("got %d environments and %d members; want nothing done", len(all), len(members))
	}
}

func TestALaunchIsGoodOnce(t *testing.T) {
	w := newWorld(t)
	l := w.login()
	form := url.Values{"state": {l.state}, "id_token": {signWith(t, jose.RS256, w.school.key, "k1", w.claims(l, "prof", "Instructor"))}}
	if rec := w.send(w.tool, http.MethodPost, launchPath, form, l.cookies...); rec.Code != http.StatusOK {
		t.Fatalf("the first: got %d %s", rec.Code, rec.Body)
	}
	for name, tool := range map[string]*Tool{"the same daemon": w.tool, "another replica": w.newTool()} {
		if rec := w.send(tool, http.MethodPost, launchPath, form, l.cookies...); rec.Code != http.StatusUnauthorized || strings.Contains(rec.Body.String(), "data-session") {
			t.Errorf("again at %s: got %d; want 401", name, rec.Code)
		}
	}
	// The state again, with another token for the same nonce.
	form.Set("id_token", signWith(t, jose.RS256, w.school.key, "k1", w.claims(l, "mallory", "Learner")))
	w.wantUnauthorized(t, w.send(w.tool, http.MethodPost, launchPath, form, l.cookies...))
	// The token's nonce in a login of another's.
	other := w.login()
	form.Set("state", other.state)
	w.wantUnauthorized(t, w.send(w.tool, http.MethodPost, launchPath, form, other.cookies...))
	if all := w.environments(); len(all) != 0 {
		t.Errorf("got %d environments; want none", len(all))
	}
}

func (w *world) wantUnauthorized(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("got %d %s; want 401", rec.Code, rec.Body)
	}
}

func TestALoginBelongsToItsBrowserAndEnds(t *testing.T) {
	w := newWorld(t)
	l := w.login()
	form := func(l started) url.Values {
		return url.Values{"state": {l.state}, "id_token": {signWith(t, jose.RS256, w.school.key, "k1", w.claims(l, "alice", "Learner"))}}
	}
	rec := w.send(w.tool, http.MethodPost, launchPath, form(l))
	w.wantNothing(t, rec, http.StatusUnauthorized)
	if !strings.Contains(rec.Body.String(), `target="_blank"`) || !strings.Contains(rec.Body.String(), `name="login_hint" value="user-1"`) {
		t.Errorf("got %s; want a way to begin in a window of its own", rec.Body)
	}
	stranger := w.login()
	w.wantNothing(t, w.send(w.tool, http.MethodPost, launchPath, form(l), stranger.cookies...), http.StatusUnauthorized)
	for name, state := range map[string]string{"made up": "e30.AAAA", "cut": l.state[:len(l.state)-3], "too long": strings.Repeat("a", longestSealed+1)} {
		t.Run(name, func(t *testing.T) {
			f := form(l)
			f.Set("state", state)
			w.wantNothing(t, w.send(w.tool, http.MethodPost, launchPath, f, l.cookies...), http.StatusUnauthorized)
		})
	}
	w.now = w.now.Add(loginFor)
	w.wantNothing(t, w.send(w.tool, http.MethodPost, launchPath, form(l), l.cookies...), http.StatusUnauthorized)
}

func TestThePlatformRemembersWhereCookiesAreRefused(t *testing.T) {
	w := newWorld(t)
	form := loginForm(w)
	form.Set("lti_storage_target", "_parent")
	page := w.send(w.tool, http.MethodPost, loginPath, form).Body.String()
	attribute := func(page, name string) string {
		_, rest, _ := strings.Cut(page, name+`="`)
		value, _, _ := strings.Cut(rest, `"`)
		return strings.ReplaceAll(value, "&amp;", "&")
	}
	to, err := url.Parse(attribute(page, "data-to"))
	proof := attribute(page, "data-value")
	if err != nil || proof == "" || attribute(page, "data-origin") != w.school.url {
		t.Fatalf("got %s; want what the platform is to store", page)
	}
	l := started{state: to.Query().Get("state"), nonce: to.Query().Get("nonce")}
	launch := url.Values{"state": {l.state}, "id_token": {signWith(t, jose.RS256, w.school.key, "k1", w.claims(l, "alice", "Learner"))}}
	asks := w.send(w.tool, http.MethodPost, launchPath, launch)
	w.wantNothing(t, asks, http.StatusUnauthorized)
	if !strings.Contains(asks.Body.String(), `id="proof"`) || strings.Contains(asks.Body.String(), proof) {
		t.Errorf("got %s; want to ask the platform, without telling", asks.Body)
	}
	launch.Set("proof", "guessed")
	w.wantNothing(t, w.send(w.tool, http.MethodPost, launchPath, launch), http.StatusUnauthorized)
	launch.Set("proof", proof)
	if rec := w.send(w.tool, http.MethodPost, launchPath, launch); rec.Code != http.StatusOK || len(w.environments()) != 1 {
		t.Errorf("with the proof: got %d %s; want 200", rec.Code, rec.Body)
	}
}

func TestLoginsThatAreNone(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		edit func(url.Values)
		want int
	}{
		"nothing":            {func(f url.Values) { clear(f) }, 400},
		"no hint":            {func(f url.Values) { f.Del("login_hint") }, 400},
		"leads elsewhere":    {func(f url.Values) { f.Set("target_link_uri", "https://elsewhere.example.edu/lti/launch") }, 400},
		"leads near by":      {func(f url.Values) { f.Set("target_link_uri", home+".example.org/lti/launch") }, 400},
		"twice":              {func(f url.Values) { f.Add("iss", "https://elsewhere.example.edu") }, 400},
		"unknown platform":   {func(f url.Values) { f.Set("iss", "https://elsewhere.example.edu") }, 404},
		"unknown client":     {func(f url.Values) { f.Set("client_id", "another") }, 404},
		"unknown deployment": {func(f url.Values) { f.Set("lti_deployment_id", "8") }, 403},
		"hints without end":  {func(f url.Values) { f.Set("lti_message_hint", strings.Repeat("a", longestHints)) }, 400},
		"larger than a form": {func(f url.Values) { f.Set("lti_message_hint", strings.Repeat("a", longestForm)) }, 413},
		"no client":          {func(f url.Values) { f.Del("client_id") }, 302},
		"no deployment":      {func(f url.Values) { f.Del("lti_deployment_id") }, 302},
	} {
		t.Run(name, func(t *testing.T) {
			form := loginForm(w)
			tt.edit(form)
			if rec := w.send(w.tool, http.MethodPost, loginPath, form); rec.Code != tt.want {
				t.Errorf("got %d %s; want %d", rec.Code, rec.Body, tt.want)
			}
		})
	}
}

func TestKeysOfAPlatformThatChange(t *testing.T) {
	w := newWorld(t)
	if rec := w.launch("alice", "Learner"); rec.Code != http.StatusOK {
		t.Fatalf("got %d", rec.Code)
	}
	w.school.kid, w.school.key = "k2", otherKey()
	if rec := w.launch("alice", "Learner"); rec.Code != http.StatusOK {
		t.Errorf("right after the old ones were asked for: got %d; want 200", rec.Code)
	}
	unknown := func() *httptest.ResponseRecorder {
		l := w.login()
		token := signWith(t, jose.RS256, otherKey(), "k9", w.claims(l, "alice", "Learner"))
		return w.send(w.tool, http.MethodPost, launchPath, url.Values{"state": {l.state}, "id_token": {token}}, l.cookies...)
	}
	for range 20 {
		w.wantUnauthorized(t, unknown())
	}
	if asked := w.school.asked["/jwks"]; asked != keysBurst {
		t.Errorf("the platform was asked %d times within the floor; want %d", asked, keysBurst)
	}
	w.school.down = true
	w.now = w.now.Add(2 * keysFreshFor)
	if rec := w.launch("alice", "Learner"); rec.Code != http.StatusOK {
		t.Errorf("while the platform is away: got %d; want 200 by the keys that are known", rec.Code)
	}
	w.tool = w.newTool()
	for range 2 * keysBurst { // also while nobody asks again
		if rec := w.launch("alice", "Learner"); rec.Code != http.StatusServiceUnavailable {
			t.Errorf("without any key: got %d; want 503", rec.Code)
		}
	}
}

// TestABrowserThatGoesAway: the platform's keys are the next one's, too.
func TestABrowserThatGoesAway(t *testing.T) {
	w := newWorld(t)
	p, err := w.tool.platform(t.Context(), w.school.url, clientID)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if keys, err := w.tool.keysOf(p).find(gone, "k1"); err != nil || len(keys) != 1 {
		t.Errorf("got %v, %v; want the key", keys, err)
	}
}
