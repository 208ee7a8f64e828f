package lti

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/daskbot/daskbot/internal/environment"
)

// The messages that a platform may launch with.
const (
	resourceLink = "LtiResourceLinkRequest"
	deepLinking  = "LtiDeepLinkingRequest"
	ltiVersion   = "1.3.0"
	// clockSkew is by how much a platform's clock may differ from ours.
	clockSkew = time.Minute
	// longestClaim bounds ids, longestName names and addresses.
	longestClaim = 255
	longestName  = 200 // as rosters have it
)

// claims is what a launch says, as far as daskbot cares.
type claims struct {
	AZP         string   `json:"azp"`
	Name        string   `json:"name"`
	Email       string   `json:"email"`
	MessageType string   `json:"https://purl.imsglobal.org/spec/lti/claim/message_type"`
	Version     string   `json:"https://purl.imsglobal.org/spec/lti/claim/version"`
	Deployment  string   `json:"https://purl.imsglobal.org/spec/lti/claim/deployment_id"`
	Target      string   `json:"https://purl.imsglobal.org/spec/lti/claim/target_link_uri"`
	Roles       []string `json:"https://purl.imsglobal.org/spec/lti/claim/roles"`
	Context     struct {
		ID    string `json:"id"`
		Label string `json:"label"`
		Title string `json:"title"`
	} `json:"https://purl.imsglobal.org/spec/lti/claim/context"`
	Custom       custom `json:"https://purl.imsglobal.org/spec/lti/claim/custom"`
	Presentation struct {
		ReturnURL string `json:"return_url"`
	} `json:"https://purl.imsglobal.org/spec/lti/claim/launch_presentation"`
	Roster struct {
		URL string `json:"context_memberships_url"`
	} `json:"https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"`
	DeepLinking struct {
		ReturnURL   string   `json:"deep_link_return_url"`
		AcceptTypes []string `json:"accept_types"`
		Data        string   `json:"data"`
	} `json:"https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"`

	// Issuer and Subject are who somebody is, for good.
	Issuer, Subject string `json:"-"`
}

// unproved refuses a launch; detail is for the log.
func unproved(detail string) error {
	return &environment.Error{Code: environment.CodeUnauthorized,
		Message: "This launch cannot be verified. Open daskbot from the page of your course again; if it goes on, tell whoever runs daskbot.", Err: errors.New(detail)}
}

// verify checks a token that came with a login: who signed it, for whom, when,
// and what it must say. CodeUnauthorized when any of that is wrong,
// CodeForbidden for a deployment that may not launch.
func (t *Tool) verify(ctx context.Context, p environment.Platform, token string, l login) (claims, error) {
	signer := &witness{keys: t.keysOf(p)}
	verifier := oidc.NewVerifier(p.Issuer, signer, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: []string{string(algorithm)},
		Now: func() time.Time { return t.now().Add(-clockSkew) }})
	id, err := verifier.Verify(ctx, token)
	if environment.CodeOf(signer.err) == environment.CodeUnavailable {
		return claims{}, signer.err
	}
	if err != nil {
		return claims{}, unproved(err.Error())
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return claims{}, unproved(err.Error())
	}
	c.Issuer, c.Subject = id.Issuer, id.Subject
	now := t.now()
	switch {
	case c.AZP != "" && c.AZP != p.ClientID, c.AZP == "" && len(id.Audience) > 1:
		return claims{}, unproved("it was issued to another party")
	case id.IssuedAt.IsZero() || id.IssuedAt.After(now.Add(clockSkew)):
		return claims{}, unproved("it was issued in the future, or does not say when")
	case !hmac.Equal([]byte(id.Nonce), []byte(l.Nonce)):
		return claims{}, unproved("the nonce is another")
	case c.MessageType == resourceLink && !t.ours(c.Target):
		return claims{}, unproved("it is for another tool, " + clip(c.Target))
	case !p.Deploys(c.Deployment):
		return claims{}, environment.Errorf(environment.CodeForbidden, "The learning platform launched daskbot from a deployment that is not allowed to; whoever runs daskbot can allow it: %q.", clip(c.Deployment))
	}
	return c, c.check()
}

// check refuses what the standard does not allow, and what nothing can be done
// with.
func (c *claims) check() error {
	c.Name, c.Email = spoken(c.Name), address(c.Email)
	c.Context.Label, c.Context.Title = spoken(c.Context.Label), spoken(c.Context.Title)
	switch {
	case c.Version != ltiVersion:
		return unproved("it is of LTI version " + clip(c.Version))
	case c.MessageType != resourceLink && c.MessageType != deepLinking:
		return unproved("it is no launch but " + clip(c.MessageType))
	case c.Subject == "" || len(c.Subject) > longestClaim:
		return environment.Errorf(environment.CodeInvalid, "The learning platform does not say who you are; whoever set daskbot up there must let it send user ids.")
	case c.MessageType == resourceLink && (c.Context.ID == "" || len(c.Context.ID) > longestClaim):
		return environment.Errorf(environment.CodeInvalid, "The learning platform does not say which course this is; open daskbot from the page of a course.")
	}
	return nil
}

// spoken drops what a platform left as it was written in its settings, such as
// $Person.name.full, what is too long to be a name, and characters that cannot
// be seen: they would change how the text around them is shown, and a roster
// takes none of them. Nobody is kept out by how their name is written.
func spoken(value string) string {
	value = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(value, "")))
	if strings.HasPrefix(value, "$") || len(value) > longestName {
		return ""
	}
	return value
}

// address is an e-mail address as it came, or "": with something left out it
// would be somebody else's.
func address(value string) string {
	value = strings.TrimSpace(value)
	if spoken(value) != value {
		return ""
	}
	return value
}

// Where the roles of a course begin. What somebody is elsewhere at the
// institution gives no rights in a course.
const courseRoles = "http://purl.imsglobal.org/vocab/lis/v2/membership"

var (
	teaching = []string{"Instructor", "TeachingAssistant", "Administrator", "ContentDeveloper", "Manager"}
	learning = []string{"Learner", "NonCreditLearner", "GuestLearner", "ExternalLearner"}
)

// role is what somebody is in the course, "" for neither.
func role(roles []string) environment.Role {
	found := environment.Role("")
	for _, r := range roles {
		name := r
		if rest, ok := strings.CutPrefix(r, courseRoles); ok {
			// …/membership#Instructor, or …/membership/Instructor#TeachingAssistant
			_, name, _ = strings.Cut(rest, "#")
			if principal, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "#"); principal != "" {
				name = principal
			}
		}
		switch {
		case slices.Contains(teaching, name):
			return environment.RoleStaff
		case slices.Contains(learning, name):
			found = environment.RoleStudent
		}
	}
	return found
}

// userID is the id by which the platform's hooks name people, "" when the launch
// does not carry it.
func (c claims) userID(p environment.Platform) string {
	if p.UserIDFrom == "" {
		return c.Subject
	}
	return c.Custom.id(p.UserIDFrom)
}

// custom are the parameters that a platform was told to add to its launches.
type custom map[string]any

// UnmarshalJSON takes no parameters from what is no object: some platforms write
// an empty list where there are none, and that must keep nobody out. Numbers
// keep all of their digits, as ids have more than a float holds.
func (c *custom) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all map[string]any
	if d.Decode(&all) == nil {
		*c = all
	}
	return nil
}

// id is a parameter that names somebody, "" when it does not. Canvas writes its
// own ids as numbers.
func (c custom) id(name string) string {
	switch v := c[name].(type) {
	case string:
		return spoken(v)
	case json.Number:
		if digits := v.String(); strings.Trim(digits, "0123456789") == "" {
			return digits
		}
	}
	return ""
}

// lmsID names an account for good: ids are unique to who issued them only.
func (c claims) lmsID() string {
	id := c.Issuer + "#" + c.Subject
	if len(id) > longestClaim {
		return c.Issuer + "#" + environment.HashToken(c.Subject)
	}
	return id
}

// frames are the origins that may show the pages of this launch in a frame:
// the platform's, and the one it wants people back at.
func frames(p environment.Platform, more ...string) []string {
	var out []string
	for _, address := range append([]string{p.Issuer, p.AuthURL}, more...) {
		if origin := originOf(address); origin != "" && !slices.Contains(out, origin) {
			out = append(out, origin)
		}
	}
	for _, origin := range p.FrameOrigins {
		if !slices.Contains(out, origin) {
			out = append(out, origin)
		}
	}
	return out
}

// originOf is fit to stand in a header, or "".
func originOf(address string) string {
	if environment.ValidPlatformURL("", address) != nil {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || strings.ContainsAny(u.Host, " ;,'\"*") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// clip keeps what a stranger sent short where it is repeated.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
