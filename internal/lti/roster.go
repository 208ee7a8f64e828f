package lti

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Bounds of one roster: a platform that goes on for ever is not believed.
const (
	largestRoster = 20_000
	mostPages     = 200
)

// rosterNote remembers where the rosters of courses are read.
const rosterNote = "lti/rosters"

// rosterSource is a course of a platform that launched people into a course
// here, and where its roster is read.
type rosterSource struct {
	Course   string `json:"course,omitempty"`
	Context  string `json:"context,omitempty"` // the platform's id of its course; "" as noted before several were told apart
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
	URL      string `json:"url"` // "" when the platform does not tell this roster
}

// key tells sources apart: a course here may be several courses, or sections,
// of a platform.
func (s rosterSource) key() string {
	return s.Course + " " + environment.HashToken(strings.Join([]string{s.Issuer, s.ClientID, s.Context}, "\n"))[:16]
}

// noteRoster remembers what a launch says of where its course's roster is, and
// that it does not say: who is only there must not be missed elsewhere.
func (t *Tool) noteRoster(ctx context.Context, p environment.Platform, c claims, course string) error {
	source := rosterSource{Course: course, Context: c.Context.ID, Issuer: p.Issuer, ClientID: p.ClientID}
	if p.TokenURL != "" && originOf(c.Roster.URL) != "" {
		source.URL = c.Roster.URL
	}
	for range 3 {
		all, note, err := t.rosters(ctx)
		if err != nil {
			return err
		}
		known, ok := all[source.key()]
		if ok && (known == source || source.URL == "") {
			return nil
		}
		all[source.key()] = source
		if old := all[course]; old.Context == "" && old.URL == source.URL {
			delete(all, course) // the same one, as it was noted before
		}
		value, err := json.Marshal(all)
		if err != nil {
			return err
		}
		note.Value = string(value)
		err = t.store.Commit(ctx, environment.Change{Note: &note})
		if environment.CodeOf(err) != environment.CodeConflict { // else another launch noted one meanwhile
			return err
		}
	}
	return nil // the next launch notes it
}

// rosters are what was noted. What an older version noted has the course alone
// for a key.
func (t *Tool) rosters(ctx context.Context) (map[string]rosterSource, environment.Note, error) {
	all := map[string]rosterSource{}
	note, err := t.store.Note(ctx, rosterNote)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return all, environment.Note{Key: rosterNote}, nil
	}
	if err != nil {
		return nil, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &all); err != nil {
		return nil, note, &environment.Error{Code: environment.CodeInternal, Message: "What was noted about rosters cannot be read.", Err: err}
	}
	return all, note, nil
}

// membership is one person of a roster (Names and Roles).
type membership struct {
	Status string   `json:"status"`
	UserID string   `json:"user_id"`
	Name   string   `json:"name"`
	Email  string   `json:"email"`
	Roles  []string `json:"roles"`
}

// askRoster reads a whole roster, page by page, or fails: half of one would
// look as if the others had left.
func (t *Tool) askRoster(ctx context.Context, p environment.Platform, address string) ([]membership, error) {
	token, err := t.accessToken(ctx, p, rosterScope)
	if err != nil {
		return nil, err
	}
	var all []membership
	home := originOf(address)
	for range mostPages {
		page, next, err := t.rosterPage(ctx, address, token)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		switch {
		case len(all) > largestRoster:
			return nil, fmt.Errorf("the roster has more than %d people", largestRoster)
		case next == "":
			return all, nil
		case originOf(next) != home: // the token is for the platform only
			return nil, fmt.Errorf("the roster goes on at %q, which is elsewhere", clip(next))
		}
		address = next
	}
	return nil, fmt.Errorf("the roster has more than %d pages", mostPages)
}

func (t *Tool) rosterPage(ctx context.Context, address, token string) (page []membership, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "application/vnd.ims.lti-nrps.v2.membershipcontainer+json")
	req.Header.Set("Authorization", "Bearer "+token)
	body, header, err := do(t.http, req)
	if err != nil {
		return nil, "", err
	}
	page, err = readMembers(body)
	return page, nextPage(req.URL, header.Values("Link")), err
}

// readMembers reads one page of a roster.
func readMembers(body []byte) ([]membership, error) {
	var container struct {
		Members []membership `json:"members"`
	}
	if err := json.Unmarshal(body, &container); err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	if container.Members == nil {
		return nil, errors.New("the answer is no roster")
	}
	return container.Members, nil
}

// linkPattern is one link of a Link header (RFC 8288) with its parameters.
var linkPattern = regexp.MustCompile(`<([^>]*)>([^<]*)`)

// nextPage finds rel="next" among Link headers, "" for none.
func nextPage(at *url.URL, links []string) string {
	for _, link := range linkPattern.FindAllStringSubmatch(strings.Join(links, ","), -1) {
		for _, parameter := range strings.FieldsFunc(link[2], func(r rune) bool { return r == ';' || r == ',' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if !strings.EqualFold(name, "rel") || !slices.Contains(strings.Fields(strings.ToLower(strings.Trim(value, `"`))), "next") {
				continue
			}
			if u, err := at.Parse(link[1]); err == nil {
				return u.String()
			}
		}
	}
	return ""
}

// accessToken asks the platform for a token, proving who daskbot is with its
// key (client credentials, private_key_jwt).
func (t *Tool) accessToken(ctx context.Context, p environment.Platform, scope string) (string, error) {
	now := t.now()
	audience := p.TokenAudience
	if audience == "" {
		audience = p.TokenURL
	}
	assertion, err := t.sign(ctx, map[string]any{"iss": p.ClientID, "sub": p.ClientID, "aud": audience,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": environment.NewSecretValue().Reveal()})
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {assertion}, "scope": {scope}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	body, _, err := do(t.http, req)
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Token == "" {
		return "", errors.New("the platform gave no token")
	}
	return got.Token, nil
}
