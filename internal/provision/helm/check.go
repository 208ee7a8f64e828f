package helm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/daskbot/daskbot/internal/environment"
)

// assumed is the Kubernetes version that charts are checked for before there
// is a cluster to ask: GKE's default in the Regular channel in September 2026.
// Without it Helm assumes 1.20, which today's charts refuse.
var assumed = chartutil.KubeVersion{Version: "v1.35.8", Major: "1", Minor: "35"}

// Check says whether the release could be installed, without any cluster: the
// chart exists, every top-level value is one that it knows, the values fit its
// schema and those of its dependencies, and its templates render.
//
// CodeInvalid names the key or the place at fault and is for whoever wrote the
// profile; CodeUnavailable means that the chart could not be fetched.
func (c *Client) Check(ctx context.Context, r environment.Release) error {
	ch, err := c.load(ctx, r)
	if err != nil {
		return err
	}
	if err := checkKeys(ch, r); err != nil {
		return err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.ClientOnly, install.DryRun = true, true
	install.KubeVersion = &assumed
	install.ReleaseName, install.Namespace = r.Name, "default"
	install.SubNotes = true // a chart may refuse values in its notes
	if _, err := install.RunWithContext(ctx, ch, copyValues(r.Values)); err != nil {
		return refused(r, err)
	}
	return nil
}

// prepare gives the chart's dependencies the conditions that their author
// forgot, without which `enabled: false` does nothing.
func prepare(ch *chart.Chart, r environment.Release) error {
	if err := action.CheckDependencies(ch, ch.Metadata.Dependencies); err != nil {
		return badChart(err)
	}
	for name, path := range r.Conditions {
		found := false
		for _, dependency := range ch.Metadata.Dependencies {
			if dependency.Name == name || dependency.Alias == name {
				dependency.Condition, found = path, true
			}
		}
		if !found {
			return environment.Invalid("conditions", "The chart %s has no dependency %q.", r.Chart, name)
		}
	}
	return nil
}

// checkKeys refuses top-level values that the chart would silently ignore.
func checkKeys(ch *chart.Chart, r environment.Release) error {
	known := r.TopLevel
	if len(known) == 0 {
		known = derivedKeys(ch)
	}
	if len(known) == 0 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(r.Values)) {
		if slices.Contains(known, key) {
			continue
		}
		hint := "It knows " + strings.Join(slices.Sorted(slices.Values(known)), ", ") + "."
		if near := environment.Nearest(key, known); near != "" {
			hint = fmt.Sprintf("Did you mean %q?", near)
		}
		return environment.Invalid("values."+key, "The chart %s knows no value %q and would ignore it. %s", ch.Name(), key, hint)
	}
	return nil
}

// derivedKeys guesses what a chart without a schema knows: its default values
// and its dependencies. A chart that shows neither is not judged.
func derivedKeys(ch *chart.Chart) []string {
	if ch.Schema != nil || len(ch.Values) == 0 && len(ch.Metadata.Dependencies) == 0 {
		return nil
	}
	known := append(slices.Collect(maps.Keys(ch.Values)), "global", "tags")
	for _, dependency := range ch.Metadata.Dependencies {
		name := dependency.Name
		if dependency.Alias != "" {
			name = dependency.Alias
		}
		root, _, _ := strings.Cut(dependency.Condition, ".")
		known = append(known, name, root)
	}
	return slices.DeleteFunc(known, func(key string) bool { return key == "" })
}

var (
	// The schema library quotes offending values in these two messages, and a
	// value may be a secret.
	quoted = regexp.MustCompile(`'[^\n]*' (does not match pattern|is not valid)`)
	// Helm prefixes what a template refuses with its place in the chart.
	place = regexp.MustCompile(`execution error at \([^)]*\): `)
)

// refused words what Helm says about values that do not fit.
func refused(r environment.Release, err error) error {
	var known *environment.Error
	if errors.As(err, &known) {
		return err
	}
	text := err.Error()
	reason := "its templates cannot be rendered with them."
	switch at := place.FindStringIndex(text); {
	case at != nil:
		reason = sentence(text[at[1]:])
	case strings.Contains(text, "schema(s)"):
		_, detail, _ := strings.Cut(text, ":\n")
		reason = sentence(quoted.ReplaceAllString(detail, "the value $1"))
	}
	return &environment.Error{Code: environment.CodeInvalid, Field: "values", Err: fmt.Errorf("check %s: %w", r.Name, err),
		Message: fmt.Sprintf("The chart %s does not accept the values of the release %s: %s", r.Chart, r.Name, reason)}
}

// sentence joins lines, bounds them and ends them with a stop.
func sentence(text string) string {
	const limit = 400
	joined := strings.Join(strings.Fields(text), " ")
	if len(joined) > limit {
		joined = strings.ToValidUTF8(joined[:limit], "") + "…"
	}
	return strings.TrimSuffix(joined, ".") + "."
}

// copyValues copies plain data, because Helm writes into what it is given.
func copyValues(values map[string]any) chartutil.Values {
	if values == nil {
		return chartutil.Values{}
	}
	return copyData(values).(map[string]any)
}

func copyData(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = copyData(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyData(item)
		}
		return out
	default:
		return v
	}
}
