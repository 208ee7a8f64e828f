package config

import (
	"strings"
	"testing"
)

func TestPlatformsThatCannotLaunch(t *testing.T) {
	const good = "issuer: 'https://lms.example.edu', clientId: c, deployments: ['1'], authUrl: 'https://lms.example.edu/auth', jwksUrl: 'https://lms.example.edu/jwks'"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":      {"a: {}", "lms.platforms.a.clientId: is missing"},
		"plaintext":    {"a: {" + strings.Replace(good, "https://lms.example.edu/auth", "http://lms.example.edu/auth", 1) + "}", "lms.platforms.a.authUrl"},
		"no place":     {"a: {" + strings.Replace(good, "['1']", "[]", 1) + "}", "lms.platforms.a.deployments: is missing"},
		"twice":        {"a: {" + good + "}, b: {" + good + "}", "lms.platforms.b: is the same registration (issuer and clientId) as a"},
		"a bad frame":  {"a: {" + good + ", frameOrigins: [\"https://a.example; script-src *\"]}", "is not an origin"},
		"a bad secret": {"a: {" + good + ", secret: x}", "unknown key"},
		"a bad name":   {"A_B: {" + good + "}", "lms.platforms.A_B"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(minimal+"lms: {platforms: {"+tt.text+"}}"), "t.yaml")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
	c, err := Parse([]byte(minimal+"lms: {platforms: {moodle: {"+good+"}}}"), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Platforms(); len(got) != 1 || got[0].Name != "moodle" || !got[0].Deploys("1") || got[0].Deploys("2") || got[0].TrustEmails {
		t.Errorf("got %+v", got)
	}
}

// The keys that prove a platform's events are as true as the way to them.
func TestCanvasKeysComeByHTTPS(t *testing.T) {
	for address, good := range map[string]bool{"https://lms.example.edu/jwks": true, "http://lms.example.edu/jwks": false, "http://127.0.0.1:8090/jwks": true, "http://localhost/jwks": true,
		"ftp://lms.example.edu": false, "https://u:p@lms.example.edu": false} {
		_, err := Parse([]byte(minimal+"lms: {sources: {canvas: {kind: canvas, rootAccount: a, jwksUrl: '"+address+"'}}}\n"), "t.yaml")
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "lms.sources.canvas.jwksUrl") {
			t.Errorf("%s: got %v; want good: %t", address, err, good)
		}
	}
}
