package environment

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestCleanPackages(t *testing.T) {
	for _, bad := range []string{"x; rm -rf /", "-r evil.txt", "--index-url=http://e", "git+https://e/x", "a b", "x$(id)", "x`id`", "../x", "x@http://e", strings.Repeat("x", 200), "x==", "ü"} {
		if got, err := CleanPackages([]string{bad}); CodeOf(err) != CodeInvalid {
			t.Errorf("%q: got %v, %v; want invalid", bad, got, err)
		}
	}
	got, err := CleanPackages([]string{" xgboost ", "dask[complete]>=2026.1,<2027", "xgboost", "", "scikit_learn~=1.5"})
	if err != nil || len(got) != 3 {
		t.Errorf("got %v, %v; want three packages", got, err)
	}
	for a, b := range map[string]string{"XGBoost==2": "xgboost", "scikit_learn": "scikit-learn", "dask[complete]": "dask", "zope.interface>1": "zope-interface"} {
		if PackageName(a) != b {
			t.Errorf("PackageName(%q): got %q; want %q", a, PackageName(a), b)
		}
	}
}

func FuzzCleanPackages(f *testing.F) {
	f.Add("xgboost==2.1")
	f.Add("x; rm -rf /")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := CleanPackages([]string{s})
		if err != nil {
			return
		}
		for _, p := range got {
			if strings.ContainsAny(p, " \t\n;|&$`'\"\\/(){}#@") || strings.HasPrefix(p, "-") {
				t.Errorf("%q let %q through", s, p)
			}
		}
	})
}

func TestMergePackages(t *testing.T) {
	got, err := mergePackages([]string{"a==1", "b"}, []string{"A==2", "c"}, []string{"b"})
	if err != nil || strings.Join(got, " ") != "A==2 c" {
		t.Errorf("got %v, %v; want A==2 and c", got, err)
	}
	if _, err := mergePackages([]string{"a"}, nil, []string{"b"}); CodeOf(err) != CodeInvalid {
		t.Errorf("removing what is not there: got %v; want invalid", err)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	s := struct{ S Secret }{NewSecret("hunter2")}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s.S, "all", s)
	for _, out := range []string{string(b), fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s, s.S), log.String()} {
		if strings.Contains(out, "hunter2") {
			t.Errorf("the secret is in %s", out)
		}
	}
}

func TestAuthorize(t *testing.T) {
	student, staff := Caller{Subject: "alice", Role: RoleStudent}, Caller{Subject: "prof", Role: RoleStaff, Courses: []string{"de"}}
	admin := Caller{Subject: "root", Role: RoleAdmin}
	for _, tt := range []struct {
		who           Caller
		a             Action
		owner, course string
		want          Code
	}{
		{Caller{}, ActionView, "alice", "", CodeUnauthorized},
		{student, ActionView, "alice", "de", ""},
		{student, ActionUse, "alice", "", ""},
		{student, ActionView, "bob", "de", CodeNotFound},
		{student, ActionDelete, "bob", "", CodeNotFound},
		{student, ActionCreate, "bob", "", CodeForbidden},
		{student, ActionAdminister, "alice", "", CodeForbidden},
		{staff, ActionView, "alice", "de", ""},
		{staff, ActionDelete, "alice", "de", ""},
		{staff, ActionUse, "alice", "de", CodeForbidden},
		{staff, ActionView, "alice", "other", CodeNotFound},
		{staff, ActionView, "alice", "", CodeNotFound},
		{staff, ActionCreate, "alice", "de", ""},
		{staff, ActionIdentify, "alice", "de", CodeForbidden},
		{Caller{Subject: "eve", Role: RoleStudent, Courses: []string{"de"}}, ActionView, "alice", "de", CodeNotFound},
		{Caller{Subject: "eve", Role: "superuser"}, ActionView, "alice", "", CodeNotFound},
		{admin, ActionUse, "alice", "de", ""},
		{admin, ActionAdminister, "", "", ""},
	} {
		if got := CodeOf(Authorize(tt.who, tt.a, tt.owner, tt.course)); got != tt.want {
			t.Errorf("%s %s %s/%s: got %q; want %q", tt.who.Subject, tt.a, tt.owner, tt.course, got, tt.want)
		}
	}
}

func TestExtended(t *testing.T) {
	p := Policy{MaxTTL: 8 * time.Hour}
	ready := Environment{ReadyAt: t0, ExpiresAt: t0.Add(4 * time.Hour)}
	if got, err := extended(ready, p, 4*time.Hour, t0); err != nil || !got.Equal(t0.Add(8*time.Hour)) {
		t.Errorf("up to the maximum: got %v, %v", got, err)
	}
	if _, err := extended(ready, p, 4*time.Hour+time.Minute, t0); CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), "4h") {
		t.Errorf("beyond the maximum: got %v; want invalid, naming the 4h left", err)
	}
	if got, err := extended(ready, p, time.Hour, t0.Add(6*time.Hour)); err != nil || !got.Equal(t0.Add(7*time.Hour)) {
		t.Errorf("past its time, in use: got %v, %v; want an hour from now", got, err)
	}
	if _, err := extended(ready, p, 3*time.Hour, t0.Add(6*time.Hour)); CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), "2h can") {
		t.Errorf("past its time, beyond the maximum: got %v; want invalid, naming the 2h left", err)
	}
	if _, err := extended(Environment{Spec: Spec{TTL: 7 * time.Hour}}, p, 2*time.Hour, t0); CodeOf(err) != CodeInvalid {
		t.Errorf("before ready, beyond the maximum: got %v; want invalid", err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"daskhub", "daskhub-classic", "dask"}
	for in, want := range map[string]string{"dashub": "daskhub", "DASK": "dask", "zzzzzz": ""} {
		if got := Nearest(in, names); got != want {
			t.Errorf("%s: got %q; want %q", in, got, want)
		}
	}
}

func TestEstimateShrinksAndNeverLiesInThePast(t *testing.T) {
	median := func(Phase) time.Duration { return time.Minute }
	e := Environment{State: StateCreating, Phase: PhaseCluster, PhaseSince: t0}
	for spent := time.Duration(0); spent < 10*time.Minute; spent += 10 * time.Second {
		now := t0.Add(spent)
		if at := EstimateReady(e, median, now); at.Before(now) {
			t.Fatalf("after %s: ready at %s, which is past", spent, at.Sub(t0))
		}
	}
	if at := EstimateReady(Environment{State: StateReady, Phase: PhaseReady}, median, t0); !at.IsZero() {
		t.Errorf("ready: got an estimate of %s; want none", at)
	}
}
