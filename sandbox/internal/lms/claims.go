package lms

import (
	"maps"
	"time"
)

// Names that LTI 1.3 gives to things.
const (
	claim        = "https://purl.imsglobal.org/spec/lti/claim/"
	claimMembers = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
	scopeMembers = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
	membership   = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
	institution  = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
)

// roleNames are a role as launches and rosters write it: the course's first,
// then what a person is in general, which tools must not mistake for it.
func roleNames(role string) []string {
	switch role {
	case Teacher:
		return []string{membership + "Instructor", institution + "Faculty"}
	case Assistant:
		return []string{"http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant", membership + "Instructor", institution + "Student"}
	default:
		return []string{membership + "Learner", institution + "Student"}
	}
}

// tokenLife is how long an id token is good.
const tokenLife = time.Hour

// claims are what an honest launch says.
func (p *Platform) claims(t *Tool, c *Course, who *Person, role, placement, nonce string) map[string]any {
	if placement != inWindow {
		placement = "iframe"
	}
	now := time.Now()
	all := map[string]any{
		"iss": p.cfg.URL, "aud": t.ClientID, "azp": t.ClientID, "sub": who.ID, "nonce": nonce,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "locale": "en",
		claim + "message_type": "LtiResourceLinkRequest", claim + "version": "1.3.0", claim + "deployment_id": t.Deployment,
		claim + "target_link_uri": t.TargetURL, claim + "roles": roleNames(role),
		claim + "resource_link":       map[string]any{"id": "link-" + c.ID, "title": "My Dask environment"},
		claim + "context":             map[string]any{"id": c.ID, "label": c.Label, "title": c.Title, "type": []string{"http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"}},
		claim + "lis":                 map[string]any{"person_sourcedid": who.SIS, "course_section_sourcedid": "sis-" + c.Number},
		claim + "launch_presentation": map[string]any{"document_target": placement, "locale": "en", "return_url": p.cfg.URL + "/?course=" + c.ID},
		claim + "tool_platform":       map[string]any{"guid": "sandbox", "name": "Sandbox LMS", "product_family_code": "sandbox", "version": "1"},
		claimMembers: map[string]any{
			"context_memberships_url": p.cfg.URL + "/api/lti/courses/" + c.ID + "/names_and_roles", "service_versions": []string{"2.0"},
		},
	}
	custom := map[string]string{"course_number": c.Number, "user_number": who.Number}
	maps.Copy(custom, t.Custom)
	all[claim+"custom"] = custom
	if !t.NoEmail {
		all["name"], all["email"] = who.Name, who.Email
	}
	return all
}
