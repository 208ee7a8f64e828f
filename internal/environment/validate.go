package environment

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Request is what somebody asks for with `up`.
type Request struct {
	Owner, Course, Profile string
	// Project asks for a project to pay; "" resolves it (person, course, default).
	Project string
	TTL     time.Duration
	Until   time.Time
	// Idle is how long this one may stand idle, no longer than policy lets it;
	// 0 for as long.
	Idle     time.Duration `json:",omitempty"`
	Workers  *int          // nil for the profile's default
	Packages []string
	// IdempotencyKey makes a repeated request return what the first one made.
	IdempotencyKey string
}

var (
	// A subject may be an e-mail, a Slack id or an LMS id.
	subjectPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._%+@:-]{0,127}$`)
	coursePattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	// https://cloud.google.com/resource-manager/docs/creating-managing-projects
	projectPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	// PEP 508 names with extras and version clauses: no spaces, no URLs, no
	// options, nothing that a shell could take for anything else.
	packagePattern = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._,-]+\])?(?:(?:==|!=|<=|>=|~=|<|>)[A-Za-z0-9.*+!_-]+(?:,(?:==|!=|<=|>=|~=|<|>)[A-Za-z0-9.*+!_-]+)*)?$`)
)

const maxPackages = 50

// ValidSubject refuses names that could not be a person's.
func ValidSubject(field, s string) error {
	if !subjectPattern.MatchString(s) {
		return Invalid(field, "%q cannot be a person's name here: use letters, digits and . _ %% + @ : -, at most 128, for example \"alice\" or \"alice@example.edu\".", clip(s))
	}
	return nil
}

// ValidCourse refuses ids that are not safe in a cloud label.
func ValidCourse(s string) error {
	if !coursePattern.MatchString(s) {
		return Invalid("course", "%q cannot be a course: use lower-case letters, digits and -, at most 40, for example \"de-2026\".", clip(s))
	}
	return nil
}

// ValidProject refuses what cannot be a Google Cloud project id.
func ValidProject(s string) error {
	if !projectPattern.MatchString(s) {
		return Invalid("project", "%q cannot be a Google Cloud project id: 6 to 30 lower-case letters, digits and -, starting with a letter, for example \"my-class-2026\".", clip(s))
	}
	return nil
}

// ValidEmail refuses what is not a plain e-mail address; "" is allowed.
func ValidEmail(s string) error {
	if s == "" {
		return nil
	}
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || len(s) > 254 {
		return Invalid("email", "%q is not an e-mail address, for example \"alice@example.edu\".", clip(s))
	}
	return nil
}

// CleanPackages checks pip requirements and returns them sorted, each once.
func CleanPackages(packages []string) ([]string, error) {
	out := []string{}
	for _, p := range packages {
		p = strings.TrimSpace(p)
		if p == "" {
			continue
		}
		if len(p) > 100 || !packagePattern.MatchString(p) {
			return nil, Invalid("packages", "%q is not a Python package: give a name with an optional version, for example \"xgboost\" or \"xgboost==2.1.0\".", clip(p))
		}
		out = append(out, p)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > maxPackages {
		return nil, Invalid("packages", "That is %d packages; at most %d can be added. Build them into the image instead.", len(out), maxPackages)
	}
	return out, nil
}

// PackageName is the part of a requirement that names the project, normalised
// as PEP 503 says, so that "XGBoost==2" replaces "xgboost".
func PackageName(requirement string) string {
	name := strings.FieldsFunc(requirement, func(r rune) bool { return strings.ContainsRune("[=<>!~", r) })
	if len(name) == 0 {
		return ""
	}
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name[0]))
}

// clip keeps an error from repeating a long or hostile value in full.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// Nearest returns the candidate most like s, or "" when none is close: for
// "did you mean".
func Nearest(s string, candidates []string) string {
	best, bestD := "", len(s)/2+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), strings.ToLower(c)); d < bestD {
			best, bestD = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
