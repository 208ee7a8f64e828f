package store_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func testIdentities(t *testing.T, url fresh) {
	s := open(t, url(t))
	ann := environment.Person{Subject: "ann", Email: "Ann@example.edu", SlackID: "T1:U1"}
	bob := environment.Person{Subject: "bob", Email: "bob@example.edu"}
	commit(t, s, environment.Change{Person: &ann})
	commit(t, s, environment.Change{Person: &bob})
	ann.Version, bob.Version = 1, 1

	got, err := s.PersonBySlack(t.Context(), "T1:U1")
	if diff := cmp.Diff(ann, got); diff != "" || err != nil {
		t.Errorf("PersonBySlack: %v (-want +got):\n%s", err, diff)
	}
	got, err = s.PersonByEmail(t.Context(), "ANN@example.edu")
	if diff := cmp.Diff(ann, got); diff != "" || err != nil {
		t.Errorf("PersonByEmail: %v (-want +got):\n%s", err, diff)
	}

	mike := environment.Person{Subject: "mike", Email: "Mike@example.edu"}
	commit(t, s, environment.Change{Person: &mike})
	if got, err = s.PersonByEmail(t.Context(), "mike@example.edu"); err != nil || got.Subject != "mike" {
		t.Errorf("PersonByEmail: got %+v, %v; want mike", got, err)
	}
	_, err = s.PersonByEmail(t.Context(), "mi\u212Ae@example.edu") // with the sign for kelvin, of which lower case makes a k
	wantCode(t, err, environment.CodeNotFound)

	bob.SlackID = "T1:U1" // nobody may take an account that is somebody's
	wantCode(t, s.Commit(t.Context(), environment.Change{Person: &bob}), environment.CodeConflict)
	bob.SlackID, bob.Email = "T1:U2", "ann@example.edu"
	commit(t, s, environment.Change{Person: &bob})
	_, err = s.PersonByEmail(t.Context(), "ann@example.edu")
	wantCode(t, err, environment.CodeConflict)

	ann.SlackID = "" // an account that was given up is free again
	commit(t, s, environment.Change{Person: &ann})
	_, err = s.PersonBySlack(t.Context(), "T1:U1")
	wantCode(t, err, environment.CodeNotFound)
}

// testAccountsOfSlack: a user's id alone is that user in every workspace.
func testAccountsOfSlack(t *testing.T, url fresh) {
	s := open(t, url(t))
	for subject, account := range map[string]string{"ann": "T1:U1", "bob": "T2:U1", "carol": "U1", "dave": "T1:U11", "eve": "T1:XU1", "frank": "", "gus": "T1:U_1", "hal": "T1:UX1", "ida": "T1:u1"} {
		commit(t, s, environment.Change{Person: &environment.Person{Subject: subject, SlackID: account}})
	}
	for account, want := range map[string]string{"U1": "ann bob carol", "T1:U1": "ann carol", "T3:U1": "carol", "T1:U11": "dave", "T1:U_1": "gus", "U2": "", "": "", "T1:": ""} {
		people, err := s.PeopleBySlack(t.Context(), account)
		var got []string
		for _, p := range people {
			got = append(got, p.Subject)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, %v; want %s", account, got, err, want)
		}
	}
}

func testNotes(t *testing.T, url fresh) {
	s := open(t, url(t))
	n := environment.Note{Key: "k", Value: "1"}
	commit(t, s, environment.Change{Note: &n})
	wantCode(t, s.Commit(t.Context(), environment.Change{Note: &n}), environment.CodeConflict)
	n.Version, n.Value = 1, "2"
	commit(t, s, environment.Change{Note: &n})
	wantCode(t, s.Commit(t.Context(), environment.Change{Note: &n}), environment.CodeConflict)
	n.Version, n.Secret = 2, environment.NewSecret("xoxb-1")
	commit(t, s, environment.Change{Note: &n})
	n.Version = 3
	got, err := s.Note(t.Context(), "k")
	if got != n || err != nil {
		t.Errorf("Note: got %+v, %v; want %+v with its secret", got, err, n)
	}
	n.Secret = environment.Secret{}
	commit(t, s, environment.Change{Note: &n})
	if got, err = s.Note(t.Context(), "k"); !got.Secret.IsZero() || err != nil {
		t.Errorf("a secret taken back: still there, %v", err)
	}
}

func testEventsSince(t *testing.T, url fresh) {
	s := open(t, url(t))
	for _, id := range []string{"a", "b", "a"} {
		commit(t, s, environment.Change{Events: []environment.Event{{Environment: id, Type: environment.EventPhase}, {Cluster: "c"}}})
	}
	all, err := s.EventsSince(t.Context(), 0, 0)
	if err != nil || len(all) != 6 {
		t.Fatalf("got %d events, %v; want 6", len(all), err)
	}
	rest, err := s.EventsSince(t.Context(), all[1].Seq, 3)
	if diff := cmp.Diff(all[2:5], rest); diff != "" || err != nil {
		t.Errorf("EventsSince: %v (-want +got):\n%s", err, diff)
	}
}
