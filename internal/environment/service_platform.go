package environment

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// Platform is a learning platform whose LTI launches are believed: one
// registration of daskbot as a tool there.
type Platform struct {
	// Name is what courses are bound to it by; see LMSBinding.Source.
	Name string `json:"name"`
	// Issuer and ClientID together are the registration: hosted platforms share
	// one issuer among many schools.
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
	// Deployments are the ids that launches may come from; AnyDeployment stands
	// for all of the registration's.
	Deployments []string `json:"deployments"`
	AuthURL     string   `json:"authUrl"`
	TokenURL    string   `json:"tokenUrl"` // "" where the roster is not asked for
	JWKSURL     string   `json:"jwksUrl"`
	// TokenAudience is who a request for a token is meant for; TokenURL when "".
	TokenAudience string `json:"tokenAudience,omitempty"`
	// TrustEmails believes the e-mail addresses in launches.
	TrustEmails bool `json:"trustEmails,omitempty"`
	// UserIDFrom is the custom parameter of a launch that carries the id by which
	// the platform's hooks name people; "" where that is the launch's subject.
	// Whoever may set it can become anybody of the platform: it must be set for
	// all courses by the platform's admins.
	UserIDFrom string `json:"userIdFrom,omitempty"`
	// FrameOrigins may show daskbot's pages in a frame, beside the platform's own.
	FrameOrigins []string `json:"frameOrigins,omitempty"`
}

// AnyDeployment in Platform.Deployments stands for every one.
const AnyDeployment = "*"

// Deploys says whether launches may come from a deployment.
func (p Platform) Deploys(id string) bool {
	return id != "" && (slices.Contains(p.Deployments, id) || slices.Contains(p.Deployments, AnyDeployment))
}

// invitation lets a platform register itself, once.
type invitation struct {
	Hash  string    `json:"hash"` // of the code
	Name  string    `json:"name"`
	Home  string    `json:"home"` // the platform's address: nothing else registers with it
	Until time.Time `json:"until"`
}

// platformBook is what is noted of platforms that registered themselves.
type platformBook struct {
	Platforms   []Platform   `json:"platforms"`
	Invitations []invitation `json:"invitations"`
}

const platformsKey = "lti/platforms"

// inviteFor is how long a platform may take to register.
const inviteFor = 24 * time.Hour

var platformPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// RegisterPath is where a platform registers itself, with a code after it.
const RegisterPath = "/lti/register/"

// InvitePlatform makes an address with which the platform at home registers
// daskbot under a name: once, and for a day. A registration under the same name
// is replaced then. Admins only.
func (s *Service) InvitePlatform(ctx context.Context, who Caller, name, home string) (Secret, time.Time, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return Secret{}, time.Time{}, err
	}
	if !platformPattern.MatchString(name) {
		return Secret{}, time.Time{}, Invalid("name", "%q cannot name a learning platform: use lower-case letters, digits and -, at most 40, for example \"moodle\".", clip(name))
	}
	if err := ValidPlatformURL("platform", home); err != nil {
		return Secret{}, time.Time{}, err
	}
	code, until := NewSecretValue(), s.clock().Add(inviteFor)
	return NewSecret(s.home + RegisterPath + code.Reveal()), until, s.changePlatforms(ctx, func(b *platformBook) error {
		b.Invitations = append(b.Invitations, invitation{Hash: HashToken(code.Reveal()), Name: name, Home: home, Until: until})
		return nil
	})
}

// Invited finds what a code invites: a platform's name and its address.
// CodeNotFound when it is wrong, used or too old.
func (s *Service) Invited(ctx context.Context, code string) (name, home string, err error) {
	b, _, err := s.platformBook(ctx)
	if err != nil {
		return "", "", err
	}
	i, err := b.invited(code, s.clock())
	if err != nil {
		return "", "", err
	}
	return b.Invitations[i].Name, b.Invitations[i].Home, nil
}

func (b platformBook) invited(code string, now time.Time) (int, error) {
	hash := HashToken(code)
	i := slices.IndexFunc(b.Invitations, func(i invitation) bool { return i.Hash == hash && now.Before(i.Until) })
	if i < 0 {
		return i, Errorf(CodeNotFound, "This address is not good (any more); `daskbot lti register-link` makes a new one, for a day.")
	}
	return i, nil
}

// RegisterPlatform keeps a registration and uses up the code that invited it;
// the name is the invitation's. CodeNotFound for a code that is not good.
func (s *Service) RegisterPlatform(ctx context.Context, code string, p Platform) error {
	return s.changePlatforms(ctx, func(b *platformBook) error {
		i, err := b.invited(code, s.clock())
		if err != nil {
			return err
		}
		p.Name = b.Invitations[i].Name
		b.Invitations = slices.Delete(b.Invitations, i, i+1)
		b.Platforms = slices.DeleteFunc(b.Platforms, func(old Platform) bool { return old.Name == p.Name })
		b.Platforms = append(b.Platforms, p)
		return nil
	})
}

// Platforms lists those that registered themselves. It checks no caller: it is
// for daskbot's own parts.
func (s *Service) Platforms(ctx context.Context) ([]Platform, error) {
	b, _, err := s.platformBook(ctx)
	return b.Platforms, err
}

// RegisteredPlatforms is Platforms for admins.
func (s *Service) RegisteredPlatforms(ctx context.Context, who Caller) ([]Platform, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return nil, err
	}
	return s.Platforms(ctx)
}

// RemovePlatform forgets a platform that registered itself: its launches are
// refused from now on. Admins only.
func (s *Service) RemovePlatform(ctx context.Context, who Caller, name string) error {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return err
	}
	return s.changePlatforms(ctx, func(b *platformBook) error {
		before := len(b.Platforms)
		b.Platforms = slices.DeleteFunc(b.Platforms, func(p Platform) bool { return p.Name == name })
		if len(b.Platforms) == before {
			return Errorf(CodeNotFound, "There is no learning platform %q that registered itself; those of the configuration are removed there.", clip(name))
		}
		return nil
	})
}

func (s *Service) platformBook(ctx context.Context) (platformBook, Note, error) {
	var b platformBook
	note, err := s.store.Note(ctx, platformsKey)
	if CodeOf(err) == CodeNotFound {
		return b, Note{Key: platformsKey}, nil
	}
	if err != nil {
		return b, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &b); err != nil {
		return b, note, &Error{Code: CodeInternal, Message: "What was noted about learning platforms cannot be read.", Err: err}
	}
	return b, note, nil
}

// changePlatforms drops what is too old on the way.
func (s *Service) changePlatforms(ctx context.Context, change func(*platformBook) error) error {
	b, note, err := s.platformBook(ctx)
	if err != nil {
		return err
	}
	if err := change(&b); err != nil {
		return err
	}
	now := s.clock()
	b.Invitations = slices.DeleteFunc(b.Invitations, func(i invitation) bool { return now.After(i.Until) })
	value, err := json.Marshal(b)
	if err != nil {
		return err
	}
	note.Value = string(value)
	return s.store.Commit(ctx, Change{Note: &note})
}

// ValidPlatformURL refuses what cannot be an address of a learning platform:
// everything but https, save on this very machine.
func ValidPlatformURL(field, value string) error {
	u, err := url.Parse(value)
	if err == nil && u.Host != "" && u.User == nil && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())) {
		return nil
	}
	return Invalid(field, "%q is not an address of a learning platform, for example \"https://moodle.example.edu\".", clip(value))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
