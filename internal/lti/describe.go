package lti

import (
	"context"
	"net/http"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	// rosterScope lets daskbot read who is in a course.
	rosterScope = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
	linkTitle   = "Open my Dask hub"
	toolTitle   = "daskbot"
	toolSays    = "A Dask environment of your own, for this course."
)

// serveConfig is what Canvas, and others, take to set the tool up by hand.
func (t *Tool) serveConfig(w http.ResponseWriter, _ *http.Request) error {
	placement := func(where, message string) map[string]any {
		return map[string]any{"placement": where, "enabled": true, "message_type": message, "target_link_uri": t.at(launchPath), "text": linkTitle}
	}
	return writeJSON(w, map[string]any{
		"title": toolTitle, "description": toolSays,
		"oidc_initiation_url": t.at(loginPath), "target_link_uri": t.at(launchPath), "redirect_uris": []string{t.at(launchPath)},
		"public_jwk_url": t.at(jwksPath), "scopes": []string{rosterScope},
		"extensions": []any{map[string]any{"platform": "canvas.instructure.com", "domain": t.base.Hostname(), "privacy_level": "public",
			"settings": map[string]any{"text": linkTitle, "placements": []any{placement("course_navigation", resourceLink), placement("link_selection", deepLinking)}}}},
		"custom_fields": map[string]string{},
	})
}

// linkPage hands a link back to the page where a teacher chooses one.
type linkPage struct {
	Page
	To, Token string
}

// offerLink answers a teacher who wants a link for a course with the one that
// daskbot has.
func (t *Tool) offerLink(ctx context.Context, w http.ResponseWriter, p environment.Platform, c claims) error {
	settings := c.DeepLinking
	if environment.ValidPlatformURL("", settings.ReturnURL) != nil {
		return environment.Errorf(environment.CodeInvalid, "The learning platform does not say where the link goes.")
	}
	if role(c.Roles) != environment.RoleStaff {
		return environment.Errorf(environment.CodeForbidden, "Only teachers add links to a course.")
	}
	now := t.now()
	const claim = "https://purl.imsglobal.org/spec/lti/claim/"
	const dl = "https://purl.imsglobal.org/spec/lti-dl/claim/"
	answer := map[string]any{"iss": p.ClientID, "aud": p.Issuer, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": environment.NewSecretValue().Reveal(),
		claim + "message_type": "LtiDeepLinkingResponse", claim + "version": ltiVersion, claim + "deployment_id": c.Deployment,
		dl + "content_items": []any{map[string]any{"type": "ltiResourceLink", "title": linkTitle, "url": t.at(launchPath)}}}
	if settings.Data != "" {
		answer[dl+"data"] = settings.Data
	}
	token, err := t.sign(ctx, answer)
	if err != nil {
		return err
	}
	return t.show(w, http.StatusOK, frames(p, c.Presentation.ReturnURL, settings.ReturnURL), "link",
		linkPage{Page{Title: "Add daskbot to the course"}, settings.ReturnURL, token})
}
