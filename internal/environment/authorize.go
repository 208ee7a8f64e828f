package environment

import "slices"

// Action is something a caller can ask to do.
type Action string

// The actions. Every command and every view names exactly one.
const (
	ActionCreate     Action = "create"     // make an environment
	ActionView       Action = "view"       // see state, events, logs
	ActionChange     Action = "change"     // extend, scale, packages, upgrade
	ActionDelete     Action = "delete"     // take it away
	ActionUse        Action = "use"        // see credentials and kubeconfig
	ActionIdentify   Action = "identify"   // see or link a person's identities
	ActionReap       Action = "reap"       // have the reaper do now what it does by itself; stop it
	ActionAdminister Action = "administer" // tokens, and more than the reaper does by itself
)

// Authorize is the one place that decides who may do what. owner and course
// are those of the object. A caller who may not even know that the object
// exists gets CodeNotFound; one who may, CodeForbidden.
//
// Students act on what is theirs, staff on what belongs to their courses
// (without seeing credentials that are not their own), admins on everything. The
// reaper may be run and stopped by all staff, since it is there for them all.
func Authorize(c Caller, a Action, owner, course string) error {
	if c.Subject == "" {
		return Errorf(CodeUnauthorized, "This needs a token; ask whoever runs daskbot for one and send it as \"Authorization: Bearer …\".")
	}
	if c.Role == RoleAdmin {
		return nil
	}
	if a == ActionAdminister || a == ActionReap {
		return authorizeForAll(c, a)
	}
	if owner == c.Subject {
		return nil
	}
	staff := c.Role == RoleStaff && course != "" && slices.Contains(c.Courses, course)
	switch {
	case staff && (a == ActionUse || a == ActionIdentify):
		return Errorf(CodeForbidden, "Only the owner or an admin may see these.")
	case staff:
		return nil
	case a == ActionCreate:
		return Errorf(CodeForbidden, "You may only ask for environments of your own; staff of the course may ask for %s.", owner)
	default:
		return Errorf(CodeNotFound, "There is no such environment, or it is not yours.")
	}
}

// authorizeForAll decides about what belongs to nobody, for who is no admin.
func authorizeForAll(c Caller, a Action) error {
	switch {
	case a == ActionReap && c.Role == RoleStaff:
		return nil
	case a == ActionReap:
		return Errorf(CodeForbidden, "Only staff and admins may do this.")
	default:
		return Errorf(CodeForbidden, "Only an admin may do this.")
	}
}
