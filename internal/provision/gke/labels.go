package gke

import (
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// labels are what makes a cluster ours, findable without the store, and
// deletable by a sweep when everything else is lost.
func (c *Client) labels(cl environment.Cluster) map[string]string {
	labels := map[string]string{
		environment.LabelInstallation: c.installation,
		environment.LabelClusterID:    labelValue(cl.ID),
	}
	if cl.Environment != "" {
		labels[environment.LabelEnvironment] = labelValue(cl.Environment)
	}
	if cl.Course != "" {
		labels[environment.LabelCourse] = labelValue(cl.Course)
	}
	if !cl.DeleteAfter.IsZero() {
		labels[environment.LabelDeleteAfter] = strconv.FormatInt(cl.DeleteAfter.Unix(), 10)
	}
	return labels
}

func (c *Client) ours(labels map[string]string) bool {
	return labels[environment.LabelInstallation] == c.installation
}

// deleteAfter is the zero time when the label is missing or not a number.
func deleteAfter(labels map[string]string) time.Time {
	seconds, err := strconv.ParseInt(labels[environment.LabelDeleteAfter], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

const maxLabel = 63

// labelValue makes a value GKE accepts: at most 63 lower-case letters, digits,
// '-' and '_'. Ids of daskbot pass unchanged; a course called "CS 101" does not.
func labelValue(s string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		default:
			return '-'
		}
	}, strings.ToLower(s))
	return clean[:min(len(clean), maxLabel)]
}
