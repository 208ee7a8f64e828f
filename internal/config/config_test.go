package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

// minimal is the least a working configuration says.
const minimal = `
gke: {project: my-class-2026, installation: physics-dask}
`

func TestMinimalConfigurationGetsDefaults(t *testing.T) {
	c, err := Parse([]byte(minimal), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Server.ExternalURL, "http://127.0.0.1:8080"; got != want {
		t.Errorf("external URL: got %q; want %q", got, want)
	}
	if got, want := c.Policy().TTL, 4*time.Hour; got != want {
		t.Errorf("lifetime: got %v; want %v", got, want)
	}
	if _, ok := c.Profile(c.DefaultProfile()); !ok {
		t.Errorf("the default profile %q does not exist", c.DefaultProfile())
	}
	if got := c.Project(); got != "my-class-2026" {
		t.Errorf("project: got %q; want my-class-2026", got)
	}
}

// TestNothingAfterTheDocument: a file may end as a stream of documents does, and
// may be empty.
func TestNothingAfterTheDocument(t *testing.T) {
	for _, text := range []string{minimal + "---\n", "---" + minimal + "...\n", "# nothing\n---" + minimal + "---\n# nothing more\n"} {
		if _, err := Parse([]byte(text), "t.yaml"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Parse(nil, "t.yaml"); err == nil || strings.Contains(err.Error(), "YAML") {
		t.Errorf("an empty file: got %v; want what is missing", err)
	}
}

func TestProblemsNamePlaceAndRemedy(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // one substring a problem, in order
	}{
		{"unknown key", "gke:\n  projetc: my-class-2026\n  project: my-class-2026\n  installation: a", []string{"t.yaml:2: gke.projetc: unknown key; did you mean project"}},
		{"unknown top-level key", "gkee: {}" + minimal, []string{"t.yaml:1: gkee: unknown key; did you mean gke?"}},
		{"repeated key", minimal + "log: {level: info}\nlog: {level: debug}", []string{"t.yaml:4: log: was already given on line 3"}},
		{"several at once", minimal + "policy: {ttl: soon, idle: 1m}\nserver: {addr: here}\nlog: {level: loud}", []string{
			"t.yaml:3: policy.ttl: \"soon\": A duration is", "policy.idle: 1m is too short",
			"t.yaml:4: server.addr: \"here\" is not host:port", "t.yaml:5: log.level: \"loud\" is none of"}},
		{"half a Slack client", minimal + "slack: {clientId: '1.2', workspaces: [college]}", []string{"slack: clientId and clientSecret go together",
			"slack.clientId: needs a botToken too", "slack.clientId: needs store.key", `slack.workspaces: "college" is not the id of a workspace`}},
		{"literal secret", minimal + "slack: {signingSecret: abc}", []string{"slack.signingSecret: a secret is not written into this file"}},
		{"unset variable", minimal + "store: {key: {fromEnv: DASKBOT_TEST_UNSET}}", []string{"store.key: the environment variable DASKBOT_TEST_UNSET is not set"}},
		{"missing file", minimal + "store: {key: {fromFile: /nowhere/key}}", []string{"store.key: the file cannot be read"}},
		{"no project", "{}", []string{"gke.project", "gke.installation: is missing"}},
		{"given clusters, and a project", "gke: {projects: [my-class-2026]}\nclusters: {lab: {inCluster: true}}\nprofiles: {default: x, define: {x: {extends: dask-shared, given: lab}}}",
			[]string{"gke.installation: is missing"}},
		{"installation", "gke: {project: my-class-2026, installation: Not_A_Label}", []string{"gke.installation: \"Not_A_Label\" must be"}},
		{"plaintext abroad", "gke: {project: my-class-2026, installation: a, endpoint: \"gke.example:443\", insecure: true}", []string{"gke.insecure: is only for an emulator"}},
		{"members", minimal + "courses: [{id: a, members: [bob, \"a b\", bob]}]", []string{"cannot be a person's name", "\"bob\" is a member already"}},
		{"rosters", minimal + "courses: [{id: a, holidays: [24.12.], endsAt: soon, budget: -1, lms: [{source: My Canvas}], members: [{name: x}, {email: a@x.edu, role: boss}, {email: A@x.edu}, {email: a@x.edu, lmsId: \"1\"}]}]",
			[]string{"members[0]: A member needs", "members[1]: \"boss\" is not a role", "members[2]: \"a@x.edu\"", "members[3]: \"a@x.edu\" is a member already", "holidays[0]: \"24.12.\" is not a date", "endsAt: \"soon\" is neither", "lms[0].source", "budget: is US dollars"}},
		{"schedules", minimal + "courses: [{id: a}]\nschedules: [{name: s, course: a, cron: \"0 8 * * *\", action: up, spread: 2h, notOn: [2026-12-24, 24.12.]}, {name: s, course: b, cron: 0 8, action: off}]",
			[]string{"schedules[0].spread: 2h is not between", "schedules[0].notOn[1]: \"24.12.\" is not a date", "is the name of two schedules", "is not a schedule of five fields", "\"off\" is none of up, down", "there is no course \"b\""}},
		{"a reaper without bounds", minimal + "reaper: {maxPerRun: 0, maxShare: 50, probes: -3}", []string{
			"reaper.maxPerRun: 0 is no bound on what one run ends; the least is 1, for example 50", "reaper.maxShare: 50 is not a share of all environments, more than 0 and at most 1, for example 0.5",
			"reaper.probes: -3 environments cannot be looked at at once; the least is 1, for example 32"}},
		{"a reaper without a share", minimal + "reaper: {maxPerRun: -1, maxShare: 0}", []string{"reaper.maxPerRun: -1", "reaper.maxShare: 0 is not"}},
		{"not a number", minimal + "policy: {ownerBudget: .nan, courseBudget: .inf}\nreaper: {maxShare: .nan}\nlimits: {rate: {perSecond: .nan}}\nserver: {telemetry: {ratio: .nan}}\npricing: {management: .nan}", []string{
			"policy.ownerBudget: NaN is not an amount of US dollars, for example 5", "policy.courseBudget: +Inf is not", "reaper.maxShare: NaN", "limits.rate.perSecond: NaN", "server.telemetry.ratio: NaN", "pricing.management: NaN is not a price"}},
		{"a course's budget", minimal + "courses: [{id: a, budget: .nan}]", []string{"courses[0].budget"}},
		{"time zone", minimal + "courses: [{id: a, timezone: Mars/Base}]", []string{"courses[0].timezone: \"Mars/Base\" is not a time zone"}},
		{"lifetime", minimal + "policy: {ttl: 2d, maxTtl: 4h}", []string{"policy.ttl: 2d is longer than maxTtl, 4h"}},
		{"a list for a map", minimal + "store: [a]", []string{"store: a list stands where keys are expected; known keys are url, key"}},
		{"a word for a number", minimal + "limits: {workers: many}", []string{"limits.workers: \"many\" is not a whole number"}},
		{"not YAML", "a: [", []string{"is not YAML"}},
		{"not YAML later on", minimal + "---\na: [", []string{"is not YAML"}},
		{"two documents", minimal + "---\nlog: {level: debug}", []string{"holds a second document, after the --- before line 4; put everything into one"}},
		{"ports", minimal + "server: {addr: \":99999\", metricsAddr: \":\"}", []string{"server.addr: \":99999\" is not host:port", "server.metricsAddr: \":\" is not host:port"}},
		{"unknown default profile", minimal + "profiles: {default: daskhb}", []string{"profiles.default: there is no profile \"daskhb\"; did you mean daskhub?"}},
		{"profile key", minimal + "profiles:\n  define:\n    x:\n      extends: dask\n      cluster: {maxNode: 3}", []string{"t.yaml:7: profiles.define.x.cluster.maxNode: unknown key; did you mean"}},
		{"profile value", minimal + "profiles:\n  define:\n    x:\n      extends: dask\n      cluster: {maxNodes: 3}", []string{"t.yaml:7: profiles.define.x.cluster.nodes: 5 nodes do not lie between"}},
		{"profile parent", minimal + "profiles: {define: {x: {extends: dsk}}}", []string{"profiles.define.x.extends: there is no profile \"dsk\"; did you mean dask"}},
		{"profile circle", minimal + "profiles: {define: {x: {extends: y}, y: {extends: x}}}", []string{"extends itself", "extends itself"}},
		{"misspelt value", minimal + "profiles: {define: {x: {extends: dask, releases: [{name: dask, values: {jupiter: {}}}]}}}",
			[]string{"releases[0].values: the chart knows no value \"jupiter\"; did you mean jupyter?"}},
		{"placeholder", minimal + "profiles: {define: {x: {extends: dask, releases: [{name: dask, values: {worker: {name: \"${user}\"}}}]}}}",
			[]string{"there is no placeholder ${user}"}},
		{"manifest", minimal + "profiles: {define: {x: {extends: dask, releases: [{name: dask, manifests: \"a: [\"}]}}}", []string{"manifests: is not YAML"}},
		{"quantity", minimal + "profiles: {define: {x: {extends: dask-shared, tenancy: {cpu: lots}}}}", []string{"tenancy.cpu: \"lots\" is not a quantity"}},
		{"given", minimal + "profiles: {define: {x: {extends: dask, given: lab}}}", []string{"given: there is no cluster \"lab\"", "placement: a given cluster"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text), "t.yaml")
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got error %v; want Problems", err)
			}
			if len(problems) != len(tt.want) {
				t.Fatalf("got %d problems:\n%v\nwant %d", len(problems), err, len(tt.want))
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got\n%v\nwant a problem with %q", err, want)
				}
			}
		})
	}
}

// 0s is written where it means something, and nowhere else.
func TestZeroIsForEverWhereItIsDocumented(t *testing.T) {
	for _, zero := range []string{"0", "0s", "0m"} {
		c, err := Parse([]byte(minimal+"store: {keepEvents: "+zero+", keepDeliveries: "+zero+"}\nserver: {drainDelay: "+zero+"}\n"+
			"courses: [{id: a}]\nschedules: [{name: s, course: a, cron: '0 8 * * *', action: up, spread: "+zero+"}]"), "t.yaml")
		if err != nil {
			t.Errorf("%s: %v", zero, err)
			continue
		}
		if c.Store.KeepEvents != 0 || c.Store.KeepDeliveries != 0 || c.Server.DrainDelay != 0 {
			t.Errorf("%s: got %v, %v, %v; want 0", zero, c.Store.KeepEvents, c.Store.KeepDeliveries, c.Server.DrainDelay)
		}
	}
	for _, text := range []string{"policy: {idle: 0s}", "reaper: {orphanGrace: 0s}", "server: {shutdownGrace: 0}", "store: {keepEvents: -1s}", "courses: [{id: a, policy: {idle: 0s}}]"} {
		if _, err := Parse([]byte(minimal+text), "t.yaml"); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSecretsComeFromOutsideAndNeverPrint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DASKBOT_TEST_BOT", "xoxb-from-the-environment")
	text := minimal + "slack: {signingSecret: {fromFile: " + file + "}, botToken: {fromEnv: DASKBOT_TEST_BOT}}\n" +
		"store: {url: {fromEnv: DASKBOT_TEST_UNSET, default: \"sqlite:x.db\"}}"
	c, err := Parse([]byte(text), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Slack.SigningSecret.Reveal(), c.Slack.BotToken.Reveal(), c.Store.URL}
	if diff := cmp.Diff([]string{"from-a-file", "xoxb-from-the-environment", "sqlite:x.db"}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if idle := c.Idle(); len(idle) != 0 {
		t.Errorf("what is configured without effect: got %q; want nothing", idle)
	}
}

// setExampleSecrets gives the example's secrets values.
func setExampleSecrets(t *testing.T) {
	t.Helper()
	t.Setenv("DASKBOT_STORE_KEY", strings.Repeat("ab", 32))
	for _, name := range []string{"SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN", "REGISTRAR_HOOK_SECRET"} {
		t.Setenv(name, "xoxb-a-secret")
	}
}

func TestShippedConfigurationsLoad(t *testing.T) {
	setExampleSecrets(t)
	for _, name := range []string{"example.yaml", "sandbox.yaml"} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(filepath.Join("../../configs", name))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range c.Profiles() {
				for _, r := range p.Releases {
					if r.Repository == "https://helm.dask.org" {
						t.Errorf("profile %s: release %s ignores the mirror", p.Name, r.Name)
					}
				}
			}
		})
	}
}

// TestExampleNamesEveryKey keeps configs/example.yaml the reference it says it
// is. A key that is only shown commented out counts.
func TestExampleNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../configs/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, path := range missingKeys(doc.Content[0], reflect.TypeFor[Config](), "") {
		key := path[strings.LastIndex(path, ".")+1:]
		if !strings.Contains(string(text), "# "+key+":") {
			t.Errorf("configs/example.yaml does not show %s", path)
		}
	}
}

// missingKeys lists the keys of t that no node shows. In a map or list it is
// enough that one item shows a key.
func missingKeys(n *yaml.Node, t reflect.Type, path string) []string {
	switch {
	case t == durationType || t == secretType:
		return nil
	case t.Kind() == reflect.Struct:
		var missing []string
		for _, f := range reflect.VisibleFields(t) {
			key := keyOf(f)
			if key == "" {
				continue
			}
			item := valueOf(n, key)
			if item == nil {
				missing = append(missing, join(path, key))
				continue
			}
			missing = append(missing, missingKeys(item, f.Type, join(path, key))...)
		}
		return missing
	case (t.Kind() == reflect.Map || t.Kind() == reflect.Slice) && t.Elem().Kind() == reflect.Struct:
		return missingInAll(n, t, path)
	default:
		return nil
	}
}

func missingInAll(n *yaml.Node, t reflect.Type, path string) []string {
	step, from := 1, 0
	if t.Kind() == reflect.Map {
		step, from = 2, 1
	}
	var missing []string
	for i := from; i < len(n.Content); i += step {
		here := missingKeys(n.Content[i], t.Elem(), path+"[]")
		if i == from {
			missing = here
			continue
		}
		missing = intersect(missing, here)
	}
	return missing
}

func intersect(a, b []string) []string {
	var both []string
	for _, x := range a {
		for _, y := range b {
			if x == y {
				both = append(both, x)
			}
		}
	}
	return both
}

func TestGivenClusters(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	c, err := Parse([]byte(minimal+"clusters: {lab: {kubeconfig: "+file+"}, home: {inCluster: true}}"), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Target("lab"); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("unreadable kubeconfig: got %v; want unavailable", err)
	}
	if err := os.WriteFile(file, []byte("apiVersion: v1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if target, err := c.Target("lab"); err != nil || string(target.Kubeconfig) != "apiVersion: v1" || target.Key != "given/lab" {
		t.Errorf("got %+v, %v; want the kubeconfig", target, err)
	}
	if target, err := c.Target("home"); err != nil || !target.InCluster {
		t.Errorf("got %+v, %v; want in-cluster", target, err)
	}
	if _, err := c.Target("nowhere"); environment.CodeOf(err) != environment.CodeNotFound {
		t.Errorf("unknown cluster: got %v; want not_found", err)
	}
}

func TestAValidatorOfAnotherPartSpeaksAtTheLine(t *testing.T) {
	text := minimal + "\ncourses: [{id: a, members: [bob]}]\nschedules:\n  - {name: s, course: a, action: up,\n     cron: \"0 25 * * *\"}\n  - {name: u, course: a, action: up, cron: nonsense}\n"
	refuse := func(c *Config, problem func(path, text string)) {
		for i := range c.Schedules {
			problem(fmt.Sprintf("schedules[%d].cron", i), "never comes due")
		}
	}
	_, err := Parse([]byte(text), "t.yaml", refuse)
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("got %v; want one problem for each line", err)
	}
	if p := problems[0]; p.Line != problems[1].Line-1 || p.Text != "never comes due" || problems[1].Text == p.Text {
		t.Errorf("got %v", problems)
	}
}

func TestACourseOfTheFileIsLikeAStoredOne(t *testing.T) {
	c, err := Parse([]byte(minimal+"\ncourses: [{id: a, timezone: Europe/Paris, budget: 20, endsAt: 2027-01-29, holidays: [2026-12-24], lms: [{source: canvas}], members: [bob, {email: Ann@x.edu, lmsId: \"007\", role: staff}]}]\n"+
		"schedules: [{name: s, course: a, cron: \"0 8 * * *\", action: up}]"), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Class(t.Context(), "a")
	want := environment.Course{ID: "a", Title: "a", Timezone: "Europe/Paris", Budget: 20, Holidays: []string{"2026-12-24"}, LMS: []environment.LMSBinding{{Source: "canvas"}},
		EndsAt: time.Date(2027, 1, 29, 23, 0, 0, 0, time.UTC), Origin: environment.OriginConfiguration, File: "t.yaml",
		Schedules: []environment.Schedule{{Name: "s", Course: "a", Timezone: "Europe/Paris", Action: environment.ScheduleUp, Cron: "0 8 * * *"}},
		Members:   []environment.Member{{Subject: "bob", Role: environment.MemberStudent}, {Subject: "ann@x.edu", Email: "ann@x.edu", LMSID: "007", Role: environment.MemberStaff}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAddressesInTheFileAreReadInAnyCase(t *testing.T) {
	c, err := Parse([]byte(minimal+"\nauth: {admins: [Boss@X.edu]}\ncourses: [{id: a, staff: [Prof@X.edu], members: [{subject: Ann@X.edu}]}]"), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	class, err := c.Class(t.Context(), "a")
	if err != nil || class.Staff[0] != "prof@x.edu" || class.Subjects()[0] != "ann@x.edu" {
		t.Errorf("got %+v, %v; want addresses in lower case", class, err)
	}
	for subject, want := range map[string]environment.Role{"prof@x.edu": environment.RoleStaff, "boss@x.edu": environment.RoleAdmin, "ann@x.edu": environment.RoleStudent} {
		if got := c.Caller(subject).Role; got != want {
			t.Errorf("%s: got %s; want %s", subject, got, want)
		}
	}
}

func TestClassesAreWhatTheFileSays(t *testing.T) {
	c, err := Parse([]byte(minimal+"\ncourses: [{id: b, title: B}, {id: a, members: [bob], timezone: Europe/Paris}]"), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Classes(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != "a" || all[0].Subjects()[0] != "bob" || all[0].Timezone != "Europe/Paris" {
		t.Errorf("got %+v, %v", all, err)
	}
	if _, err := c.Class(t.Context(), "c"); environment.CodeOf(err) != environment.CodeNotFound {
		t.Errorf("got %v; want not found", err)
	}
}
