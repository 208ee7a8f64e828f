package standin

import (
	"errors"
	"fmt"
	"strings"
)

// authenticator decides who may log in to a hub, as the named class does.
type authenticator struct {
	class         string // dummy, shared-password, or another, which refuses all
	password      string
	adminPassword string
	allowAll      bool
	allowed       map[string]bool
	blocked       map[string]bool
	admins        map[string]bool
}

const (
	dummy          = "dummy"
	sharedPassword = "shared-password"
)

// sharedPasswordSince is the JupyterHub that has shared-password first.
const sharedPasswordSince = "5.3.0"

// authenticatorNames maps class names to their short ones.
var authenticatorNames = map[string]string{
	"":                                      "pam",
	"jupyterhub.auth.DummyAuthenticator":    dummy,
	"dummyauthenticator.DummyAuthenticator": dummy,
	"jupyterhub.authenticators.shared.SharedPasswordAuthenticator": sharedPassword,
}

// newAuthenticator reads hub.config. An error is what ends the real hub as it
// starts: a class it does not have, or a password the class refuses.
func newAuthenticator(config map[string]map[string]any, version string) (authenticator, error) {
	class, _ := config["JupyterHub"]["authenticator_class"].(string)
	if short, ok := authenticatorNames[class]; ok {
		class = short
	}
	section := map[string]string{dummy: "DummyAuthenticator", sharedPassword: "SharedPasswordAuthenticator"}[class]
	trait := func(name string) any { // the class's own section goes before the common one
		if value, ok := config[section][name]; ok {
			return value
		}
		return config["Authenticator"][name]
	}
	a := authenticator{
		class:   class,
		allowed: nameSet(trait("allowed_users")),
		blocked: nameSet(trait("blocked_users")),
		admins:  nameSet(trait("admin_users")),
	}
	allowAll, set := trait("allow_all").(bool)
	a.allowAll = allowAll
	if !set && len(a.allowed) == 0 {
		// Before 5.0 an empty list let everybody in; dummy still does.
		a.allowAll = class == dummy || !versionAtLeast(version, "5.0.0")
	}
	switch class {
	case dummy:
		a.password, _ = trait("password").(string)
	case sharedPassword:
		a.password, _ = trait("user_password").(string)
		a.adminPassword, _ = trait("admin_password").(string)
		return a, a.checkShared(version)
	}
	return a, nil
}

func (a authenticator) checkShared(version string) error {
	switch {
	case !versionAtLeast(version, sharedPasswordSince):
		return fmt.Errorf("JupyterHub %s has no authenticator shared-password", version)
	case a.password != "" && len(a.password) < 8:
		return errors.New("user_password of shared-password is shorter than 8 characters")
	case a.adminPassword != "" && len(a.adminPassword) < 32:
		return errors.New("admin_password of shared-password is shorter than 32 characters")
	}
	return nil
}

// login returns the user's name as the hub keeps it, and whether the
// credentials are right and the user is let in.
func (a authenticator) login(username, password string) (string, bool) {
	name := strings.ToLower(strings.TrimSpace(username))
	if name == "" || strings.ContainsAny(name, "/\\ ") || !a.passwordRight(name, password) {
		return "", false
	}
	return name, a.lets(name)
}

func (a authenticator) passwordRight(name, password string) bool {
	switch a.class {
	case dummy:
		return a.password == "" || same(password, a.password)
	case sharedPassword:
		if a.admins[name] {
			return a.adminPassword != "" && same(password, a.adminPassword)
		}
		return a.password != "" && same(password, a.password)
	}
	return false
}

func (a authenticator) lets(name string) bool {
	if a.blocked[name] {
		return false
	}
	return a.allowAll || a.allowed[name] || a.admins[name]
}

func (a authenticator) admin(name string) bool { return a.admins[name] }

// form reports whether the login page asks for a name and a password.
func (a authenticator) form() bool { return a.class == dummy || a.class == sharedPassword }

// nameSet reads a list of names; anything else is an empty set.
func nameSet(value any) map[string]bool {
	list, _ := value.([]any)
	names := map[string]bool{}
	for _, item := range list {
		if name, ok := item.(string); ok {
			names[strings.ToLower(name)] = true
		}
	}
	return names
}
