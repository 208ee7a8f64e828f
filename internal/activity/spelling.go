package activity

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// KubeSpawner's labels of a notebook's pod.
const (
	labelUser   = "hub.jupyter.org/username"
	labelServer = "hub.jupyter.org/servername"
)

// How likely a pod is a server's, the higher the likelier.
const (
	othersPod = 2 * iota // its labels name somebody else
	anyPod               // nothing is said
	namedPod             // it has no such labels, but its name looks like it
	usersPod             // its labels name the user
	itsPod               // and the server
)

// chance is how likely a pod is the server's. One that others waited for in vain
// comes after those that are as likely.
func (s hubServer) chance(c *candidate) int {
	chance := s.said(c.Pod)
	if c.mute {
		chance--
	}
	return chance
}

// said is what a pod says of whose it is.
func (s hubServer) said(pod environment.Pod) int {
	user, labelled := pod.Labels[labelUser]
	inName := func(user string) bool { return strings.Contains("-"+pod.Name+"-", "-"+user+"-") }
	switch {
	case labelled && !slices.Contains(s.users, user):
		return othersPod
	case labelled && slices.Contains(s.names, pod.Labels[labelServer]):
		return itsPod
	case labelled:
		return usersPod
	case slices.ContainsFunc(s.users, inName):
		return namedPod
	default:
		return anyPod
	}
}

// spellings are a name as it is in labels: as it is or escaped by KubeSpawner
// before version 7, since then as it is or made to fit and told apart by a hash.
func spellings(name string) []string {
	if !strings.Contains(name, "--") && (name == "" || labelValue.MatchString(name)) {
		return []string{name, escaped(name)}
	}
	return []string{hashed(name), escaped(name)}
}

var (
	labelValue  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	notAlphanum = regexp.MustCompile(`[^a-z0-9]+`)
)

// A hashed name is at most 32 characters with what tells it apart.
const (
	hashLength   = 8
	longestPlain = 32 - len("---") - hashLength
)

// escaped is KubeSpawner's escape_slug.
func escaped(name string) string {
	var out strings.Builder
	for _, b := range []byte(name) {
		if b >= 'a' && b <= 'z' || b >= '0' && b <= '9' {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "-%x", b)
		}
	}
	return out.String()
}

// hashed is KubeSpawner's strip_and_hash.
func hashed(name string) string {
	plain := strings.TrimLeft(notAlphanum.ReplaceAllString(strings.ToLower(name), "-"), "-")
	plain = strings.TrimRight(plain[:min(len(plain), longestPlain)], "-")
	switch {
	case plain == "":
		plain = "x"
	case plain[0] < 'a':
		plain = "x-" + plain[:min(len(plain), longestPlain-2)]
	}
	return plain + "---" + fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:hashLength]
}
