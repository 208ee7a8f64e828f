package environment

import (
	"context"
	"crypto/subtle"
	"maps"
	"time"
)

// keepURL is the address at which whoever knows its secret keeps the
// environment; "" for one made before there was such an address.
//
// It is made of daskbot's address when the environment was asked for: a daemon
// that moves must not restart every notebook.
func (e Environment) keepURL() string {
	secret := e.Secrets[SecretKeep]
	if secret.IsZero() || e.Home == "" {
		return ""
	}
	return e.Home + "/keep/" + e.ID + "/" + secret.Reveal()
}

// touchStep is how much later a touch must move a lease to be written: a loop
// may touch every second.
const touchStep = 5 * time.Minute

// Touch is Keep for what runs inside the environment and holds no token but
// its secret: a notebook that works on something nobody can see. It returns
// until when the environment is kept, for at most a day. An unknown id and a
// wrong secret are the same CodeNotFound; CodeConflict says that it is over.
func (s *Service) Touch(ctx context.Context, id, secret string, d time.Duration) (time.Time, error) {
	unknown := Errorf(CodeNotFound, "There is nothing to keep at this address.")
	e, err := s.store.Environment(ctx, id)
	if err != nil && CodeOf(err) != CodeNotFound {
		return time.Time{}, err
	}
	known := e.Secrets[SecretKeep]
	same := subtle.ConstantTimeCompare([]byte(known.Reveal()), []byte(secret)) == 1
	if known.IsZero() || !same {
		return time.Time{}, unknown
	}
	if e.Ending == nil && e.Desired == Present && d <= longestLease && e.KeepUntil.Add(touchStep).After(s.clock().Add(d)) {
		return e.KeepUntil, nil
	}
	e, err = s.Keep(ctx, Caller{Subject: e.Owner, Role: RoleStudent}, id, d, 0)
	return e.KeepUntil, err
}

// ownKey gives an environment from before there were such addresses one.
func (s *Service) ownKey(e *Environment) {
	e.Home = first(e.Home, s.home)
	if e.Secrets[SecretKeep].IsZero() {
		e.Secrets = maps.Clone(e.Secrets)
		if e.Secrets == nil {
			e.Secrets = Secrets{}
		}
		e.Secrets[SecretKeep] = NewSecretValue()
	}
}

// leased is the last look judged anew, since a lease may be younger.
func (u Use) leased(p Policy, e Environment) Use {
	if u.Verdict.Is != "" && e.KeepUntil.After(u.Activity.At) {
		u.Verdict = Assess(p, e, u)
	}
	return u
}
