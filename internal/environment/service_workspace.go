package environment

import (
	"context"
	"encoding/json"
	"time"
)

// Workspace is a Slack team in which people installed daskbot's application,
// or took it away again.
type Workspace struct {
	Team  string    `json:"team"`
	Name  string    `json:"name,omitempty"`
	Token Secret    `json:"-"` // kept sealed; none once the application was taken away
	Since time.Time `json:"since"`
	// Revoked is the hash of the configured token that stopped working there;
	// another one may be configured later. Empty when Token was installed.
	Revoked string `json:"revoked,omitempty"`
}

// Gone says whether nothing may be sent there any more, by the token that is
// configured now either.
func (w Workspace) Gone(configured Secret) bool {
	return w.Token.IsZero() && (w.Revoked == "" || w.Revoked == HashToken(configured.Reveal()))
}

// workspaceNote is under which key a team is remembered.
func workspaceNote(team string) string { return "slack/team/" + team }

// Workspace reads what is known of a team. CodeNotFound means that nobody
// installed the application there in the browser, nor took it away.
func (s *Service) Workspace(ctx context.Context, team string) (Workspace, error) {
	w, _, err := s.workspace(ctx, team)
	return w, err
}

func (s *Service) workspace(ctx context.Context, team string) (Workspace, Note, error) {
	var w Workspace
	note, err := s.store.Note(ctx, workspaceNote(team))
	if err != nil {
		return w, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &w); err != nil {
		return w, note, &Error{Code: CodeInternal, Message: "What was noted about a Slack workspace cannot be read.", Err: err}
	}
	w.Token = note.Secret
	return w, note, nil
}

// InstallWorkspace keeps the token that Slack gave for a team, in place of an
// earlier one. Whether the installation was asked for is the caller's to know.
func (s *Service) InstallWorkspace(ctx context.Context, team, name string, token Secret) error {
	_, note, err := s.workspace(ctx, team)
	if err != nil && CodeOf(err) != CodeNotFound {
		return err
	}
	return s.noteWorkspace(ctx, note, Workspace{Team: team, Name: name, Token: token, Since: s.clock()})
}

// ForgetWorkspace forgets a team's token: Slack said at that time that it took
// it back. One that was installed later stays. For a team that is served with
// the configured token it remembers that this token works no more. Repeating
// it changes nothing.
func (s *Service) ForgetWorkspace(ctx context.Context, team string, configured Secret, at time.Time) error {
	w, note, err := s.workspace(ctx, team)
	switch known := CodeOf(err) != CodeNotFound; {
	case known && err != nil:
		return err
	// Slack gives whole seconds.
	case known && (w.Gone(configured) || !at.IsZero() && at.Before(w.Since.Truncate(time.Second))):
		return nil
	case w.Token.IsZero():
		w.Revoked = HashToken(configured.Reveal())
	}
	w.Team, w.Token, w.Since = team, Secret{}, s.clock()
	return s.noteWorkspace(ctx, note, w)
}

func (s *Service) noteWorkspace(ctx context.Context, note Note, w Workspace) error {
	value, err := json.Marshal(w)
	if err != nil {
		return err
	}
	note.Key, note.Value, note.Secret = workspaceNote(w.Team), string(value), w.Token
	return s.store.Commit(ctx, Change{Note: &note})
}
