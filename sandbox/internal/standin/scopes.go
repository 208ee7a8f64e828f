package standin

import "strings"

// implied lists what each scope of JupyterHub brings with it, as far as it
// decides about anything here.
var implied = map[string][]string{
	"admin:users":    {"users", "delete:users", "list:users", "create:users"},
	"users":          {"read:users", "list:users", "users:activity"},
	"read:users":     {"read:users:name", "read:users:groups", "read:users:activity"},
	"list:users":     {"read:users:name"},
	"users:activity": {"read:users:activity"},
	"admin:servers":  {"servers", "admin:server_state"},
	"servers":        {"read:servers", "start:servers", "delete:servers"},
	"read:servers":   {"read:users:name"},
	"access:servers": {},
	"read:hub":       {},
	"read:metrics":   {},
	"proxy":          {},
}

// every is what an admin may do.
var every = []string{"admin:users", "admin:servers", "access:servers", "read:hub", "read:metrics", "proxy"}

// scopes is a set that holds what its members imply too.
type scopes map[string]bool

// add puts names in. One with a filter (read:users!user=alice) is left out:
// the stand-in would have to grant it for everybody.
func (s scopes) add(names ...string) {
	for _, name := range names {
		if strings.Contains(name, "!") || s[name] {
			continue
		}
		s[name] = true
		s.add(implied[name]...)
	}
}

func (s scopes) any(names ...string) bool {
	for _, name := range names {
		if s[name] {
			return true
		}
	}
	return false
}
