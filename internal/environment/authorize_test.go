package environment

import (
	"testing"
)

// actions are all there are; a new one fails TestAuthorizeEverything until its
// row is written.
var actions = []Action{ActionCreate, ActionView, ActionChange, ActionDelete, ActionUse, ActionIdentify, ActionReap, ActionAdminister}

// TestAuthorizeEverything asks for every role, object and action.
func TestAuthorizeEverything(t *testing.T) {
	callers := map[string]Caller{
		"nobody":          {},
		"student":         {Subject: "ann", Role: RoleStudent},
		"staff of c1":     {Subject: "tim", Role: RoleStaff, Courses: []string{"c1"}},
		"staff of none":   {Subject: "tom", Role: RoleStaff},
		"admin":           {Subject: "ada", Role: RoleAdmin},
		"role of nowhere": {Subject: "eve", Role: "root"},
		"student, staffy": {Subject: "sam", Role: RoleStudent, Courses: []string{"c1"}}, // courses without the role are worth nothing
	}
	objects := map[string]struct{ owner, course string }{
		"their own":              {"", ""}, // the caller's own, filled in below
		"their own in c1":        {"", "c1"},
		"another's, no course":   {"bob", ""},
		"another's in c1":        {"bob", "c1"},
		"another's in c2":        {"bob", "c2"},
		"what belongs to nobody": {"-", ""},
	}
	seen := 0
	for who, c := range callers {
		for what, o := range objects {
			owner := o.owner
			switch what {
			case "their own", "their own in c1":
				owner = c.Subject
			case "what belongs to nobody":
				owner = ""
			}
			for _, a := range actions {
				seen++
				if got, want := CodeOf(Authorize(c, a, owner, o.course)), allowed(c, a, owner, o.course); got != want {
					t.Errorf("%s, %s, %s: got %q; want %q", who, a, what, got, want)
				}
			}
		}
	}
	if want := len(callers) * len(objects) * len(actions); seen != want {
		t.Errorf("%d of %d were asked", seen, want)
	}
}

// allowed is the rule in words, written down a second time: by who asks first.
func allowed(c Caller, a Action, owner, course string) Code {
	teaches := c.Role == RoleStaff && course == "c1" && c.Subject == "tim"
	switch {
	case c.Subject == "":
		return CodeUnauthorized
	case c.Role == RoleAdmin:
		return ""
	case a == ActionAdminister:
		return CodeForbidden
	case a == ActionReap && c.Role == RoleStaff:
		return ""
	case a == ActionReap:
		return CodeForbidden
	case owner == c.Subject:
		return ""
	case teaches && (a == ActionUse || a == ActionIdentify):
		return CodeForbidden
	case teaches:
		return ""
	case a == ActionCreate:
		return CodeForbidden
	default:
		return CodeNotFound
	}
}
