package environment

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// placeholder is ${name}, ${secret.name} or ${hash.name}.
var placeholder = regexp.MustCompile(`\$\{([a-z]+(?:\.[a-z0-9-]+)?)\}`)

// Values maps placeholder names to what stands for them. A string that is
// nothing but one placeholder takes the value's own type, so "${workers}"
// becomes a number.
type Values map[string]any

// PlaceholderNames lists what a profile may refer to.
func PlaceholderNames() []string {
	return []string{"id", "owner", "course", "namespace", "workers", "packages", "keep.url",
		"secret." + SecretPassword, "secret." + SecretToken, "secret." + SecretProxy, "hash." + SecretPassword}
}

// Placeholders returns every placeholder in a profile's values and manifests,
// so that configuration can refuse unknown ones before they reach a chart.
func Placeholders(p Profile) []string {
	var found []string
	note := func(s string) {
		for _, m := range placeholder.FindAllStringSubmatch(s, -1) {
			found = append(found, m[1])
		}
	}
	for _, r := range p.Releases {
		walk(r.Values, func(s string) any { note(s); return s })
		note(r.Manifests)
		note(r.Namespace)
	}
	note(p.Workers.Manifest)
	note(p.Access.Username)
	return found
}

// values are the placeholders of one environment.
func (e Environment) values() Values {
	v := Values{
		"id": e.ID, "owner": e.Owner, "course": e.Course, "namespace": e.Namespace,
		"workers": e.Spec.Workers, "packages": strings.Join(e.Spec.Packages, " "), "keep.url": e.keepURL(),
	}
	for name, s := range e.Secrets {
		v["secret."+name] = s.Reveal()
		v["hash."+name] = jupyterHash(e.ID, s)
	}
	return v
}

// jupyterHash is a password as Jupyter's configuration wants it:
// algorithm:salt:digest. The salt comes from the environment's id, so that the
// same password always renders the same and no release looks changed.
func jupyterHash(id string, password Secret) string {
	salt := Fingerprint(id)
	sum := sha256.Sum256([]byte(password.Reveal() + salt))
	return "sha256:" + salt + ":" + hex.EncodeToString(sum[:])
}

// Text replaces the placeholders in a text; unknown ones stay as they are.
func (v Values) Text(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(m string) string {
		val, ok := v[m[2:len(m)-1]]
		if !ok {
			return m
		}
		switch val := val.(type) {
		case int:
			return strconv.Itoa(val)
		case string:
			return val
		default:
			return m
		}
	})
}

func (v Values) leaf(s string) any {
	if m := placeholder.FindString(s); m == s && m != "" {
		if val, ok := v[m[2:len(m)-1]]; ok {
			return val
		}
	}
	return v.Text(s)
}

// Render returns the environment's releases with every placeholder replaced
// and the chart versions pinned. It copies: the recipe is not changed.
func Render(e Environment) []Release {
	v := e.values()
	out := make([]Release, len(e.Recipe.Releases))
	for i, r := range e.Recipe.Releases {
		r.Values, _ = walk(r.Values, v.leaf).(map[string]any)
		r.Manifests = v.Text(r.Manifests)
		r.Namespace = first(v.Text(r.Namespace), e.Namespace)
		if pinned := e.Spec.Versions[r.Name]; pinned != "" {
			r.Version = pinned
		}
		out[i] = r
	}
	return out
}

// ReleaseHash identifies what a release was given, so that Helm's storage can
// say whether it is up to date. Secrets take part, so it is a hash.
func ReleaseHash(r Release) string { return Fingerprint(r) }

// walk copies plain YAML data, passing every string leaf through f.
func walk(v any, f func(string) any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, item := range v {
			m[k] = walk(item, f)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, item := range v {
			l[i] = walk(item, f)
		}
		return l
	case string:
		return f(v)
	default:
		return v
	}
}

// PlanFor gathers what the environment's workloads need on its cluster.
// google is the owner's Google account, "" when unknown or not to be bound.
func PlanFor(e Environment, c Cluster, installation, google string) Plan {
	workers := e.Recipe.Workers
	workers.Manifest = e.values().Text(workers.Manifest)
	if e.Recipe.Access.Google == "" || e.Recipe.Access.Google == "none" {
		google = ""
	}
	return Plan{
		Environment: e.ID, Owner: e.Owner, Course: e.Course, Installation: installation,
		ClusterName: c.Name, ClusterID: c.ID, Project: c.Project, Location: c.Location, Namespace: e.Namespace,
		Dedicated: c.Placement == Dedicated, Given: c.Given != "",
		Tenancy: e.Recipe.Tenancy, Releases: Render(e), Access: e.Recipe.Access,
		Credentials: CredentialsOf(e), Workers: workers, WantWorkers: e.Spec.Workers,
		Google: google, Ceiling: c.MaxNodes,
	}
}

// CredentialsOf returns how the owner gets in.
func CredentialsOf(e Environment) Credentials {
	c := Credentials{URL: e.URL, Password: e.Secrets[SecretPassword], Token: e.Secrets[SecretToken]}
	if e.Recipe.Access.Kind == AccessJupyterHub {
		c.Username = first(e.values().Text(e.Recipe.Access.Username), e.Owner)
	}
	return c
}
