package bot

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func number(n int) *int { return &n }

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want command
	}{
		{"", command{}},
		{"   ", command{}},
		{"up", command{verb: verbUp}},
		{"UP DaskHub", command{verb: verbUp, profile: "daskhub"}},
		{"start dask for 90m", command{verb: verbUp, profile: "dask", span: 90 * time.Minute}},
		{"up for <@U123|ada> in DE-2026 for 3h", command{verb: verbUp, ownerUser: "U123", course: "de-2026", span: 3 * time.Hour}},
		{"up <@U123>", command{verb: verbUp, ownerUser: "U123"}},
		{"up for <mailto:ada@uni.edu|ada@uni.edu>", command{verb: verbUp, owner: "ada@uni.edu"}},
		{"up until 18:00", command{verb: verbUp, until: clock{set: true, hour: 18}}},
		{"up until tomorrow at 6pm", command{verb: verbUp, until: clock{set: true, hour: 18, tomorrow: true}}},
		{"up dask until 2026-12-01 08:30 workers 4", command{verb: verbUp, profile: "dask", workers: number(4),
			until: clock{set: true, hour: 8, minute: 30, day: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}}},
		{"up with xgboost, lightgbm==4.5.0 and “scikit-learn&gt;=1” workers 2 in ml", command{verb: verbUp, course: "ml", workers: number(2),
			packages: []string{"xgboost", "lightgbm==4.5.0", "scikit-learn>=1"}}},
		{"up --profile dask --workers 3 --packages a,b", command{verb: verbUp, profile: "dask", workers: number(3), packages: []string{"a", "b"}}},
		{"status", command{verb: verbStatus}},
		{"status KQ7WM2XD", command{verb: verbStatus, target: "kq7wm2xd"}},
		{"list in de-2026", command{verb: verbList, course: "de-2026"}},
		{"extend", command{verb: verbExtend}},
		{"extend 2h kq7wm2xd", command{verb: verbExtend, span: 2 * time.Hour, target: "kq7wm2xd"}},
		{"extend kq7wm2xd by 1d", command{verb: verbExtend, span: 24 * time.Hour, target: "kq7wm2xd"}},
		{"stop", command{verb: verbDown}},
		{"scale to 4 workers", command{verb: verbScale, workers: number(4)}},
		{"scale dask 0", command{verb: verbScale, workers: number(0), target: "dask"}},
		{"packages add a b,c on kq7wm2xd", command{verb: verbPackages, packages: []string{"a", "b", "c"}, target: "kq7wm2xd"}},
		{"packages remove <http://dask.org|dask.org>", command{verb: verbPackages, remove: []string{"dask.org"}}},
		{"logs scheduler of kq7wm2xd", command{verb: verbLogs, word: "scheduler", target: "kq7wm2xd"}},
		{"project my-class-2026", command{verb: verbProject, word: "my-class-2026"}},
		{"class status in ML", command{verb: verbClass, does: verbStatus, course: "ml"}},
		{"class start de-2026", command{verb: verbClass, does: verbUp, course: "de-2026"}},
		{"class down", command{verb: verbClass, does: verbDown}},
		{"up for 3 hours with a", command{verb: verbUp, span: 3 * time.Hour, packages: []string{"a"}}},
		{"up for 1 hour 30 minutes", command{verb: verbUp, span: 90 * time.Minute}},
		{"up for 90min", command{verb: verbUp, span: 90 * time.Minute}},
		{"up until 6:30 PM", command{verb: verbUp, until: clock{set: true, hour: 18, minute: 30}}},
		{"up until 18.15", command{verb: verbUp, until: clock{set: true, hour: 18, minute: 15}}},
		{"up until 18:00 tomorrow workers 2", command{verb: verbUp, workers: number(2), until: clock{set: true, hour: 18, tomorrow: true}}},
		{"up until today at 18:00", command{verb: verbUp, until: clock{set: true, hour: 18, today: true}}},
		{"up until 08:30 on 2026-12-01 dask", command{verb: verbUp, profile: "dask",
			until: clock{set: true, hour: 8, minute: 30, day: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}}},
		{`up with "xgboost&gt;=1,&lt;2", lightgbm`, command{verb: verbUp, packages: []string{"xgboost>=1,<2", "lightgbm"}}},
		{"packages add “xgboost&gt;=1, &lt;2” a", command{verb: verbPackages, packages: []string{"xgboost>=1,<2", "a"}}},
		{"packages add numpy<2 pandas>=2,<3 a", command{verb: verbPackages, packages: []string{"numpy<2", "pandas>=2,<3", "a"}}},
		{"packages add numpy&lt;2 pandas&gt;2", command{verb: verbPackages, packages: []string{"numpy<2", "pandas>2"}}},
		{"packages add numpy<2<http://dask.org|dask.org>", command{verb: verbPackages, packages: []string{"numpy<2", "dask.org"}}},
		{"packages add dask[array,dataframe],xgboost", command{verb: verbPackages, packages: []string{"dask[array,dataframe]", "xgboost"}}},
		{"packages add dask[array, dataframe] xgboost on kq7wm2xd", command{verb: verbPackages, packages: []string{"dask[array,dataframe]", "xgboost"}, target: "kq7wm2xd"}},
		{`packages remove "dask[array,dataframe]>=2024.1,&lt;2025" a`, command{verb: verbPackages, remove: []string{"dask[array,dataframe]>=2024.1,<2025", "a"}}},
		{"up with dask[array,dataframe]==2024.1, b workers 2", command{verb: verbUp, workers: number(2), packages: []string{"dask[array,dataframe]==2024.1", "b"}}},
		{"packages add a],b", command{verb: verbPackages, packages: []string{"a]", "b"}}}, // refused as no package, later
		{"packages add a[b,c", command{verb: verbPackages, packages: []string{"a[b,c"}}},
		{"why <!channel>", command{verb: verbWhy, target: "!channel"}},
		{"up until tomorrow noon", command{verb: verbUp, until: clock{set: true, hour: 12, tomorrow: true}}},
		{"up --profile=dask --workers=3 --packages=a,b —ttl=3 hours", command{verb: verbUp, profile: "dask", workers: number(3),
			packages: []string{"a", "b"}, span: 3 * time.Hour}},
		{"extend 2 hours kq7wm2xd", command{verb: verbExtend, span: 2 * time.Hour, target: "kq7wm2xd"}},
		{"scale 4 workers", command{verb: verbScale, workers: number(4)}},
		{"—help", command{verb: verbHelp}},
		{"help up", command{verb: verbHelp, word: "up"}},
		{"up --help", command{verb: verbHelp, word: "up"}},
	} {
		got, err := parse(tt.text)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(command{}, clock{})); diff != "" || err != nil {
			t.Errorf("parse(%q): %v (-want +got):\n%s", tt.text, err, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"upp":                             "Did you mean `/dask up`?",
		"statsu":                          "Did you mean `/dask status`?",
		"zzzzzzzzzzzz":                    "`/dask help` lists all",
		"class":                           "start it, end it",
		"class dance ml":                  "up, down or status",
		"up for":                          "For whom, or for how long?",
		"up for 3":                        `"3" is not a duration`,
		"up for -3h":                      `"-3h" is not a duration`,
		"up until tomorrow":               "Until what time",
		"up --frobnicate=3":               `I do not understand "--frobnicate"`,
		"up for @ada":                     "pick the name from the list",
		"up for 3h until 18:00":           "not both",
		"up until 25:00":                  `"25:00" is not a time of day`,
		"up dask nonsense":                `I do not understand "nonsense"`,
		"up workers many":                 "How many workers?",
		"up workers -1":                   "How many workers?",
		"up with":                         "With which packages?",
		"extend 2x":                       `"2x" is not a time`,
		"extend 1h 2h":                    "is not a time",
		"scale":                           "How many workers?",
		"scale a b":                       "is not a number",
		"packages":                        "add or to remove",
		"packages add":                    "at least one package",
		"status a b":                      "I do not understand",
		strings.Repeat("x", maxCommand):   "There is no command",
		strings.Repeat("é", maxCommand+1): "has 8001 characters, and I read at most 8000",
	} {
		_, err := parse(text)
		got := environment.MessageOf(err)
		if environment.CodeOf(err) != environment.CodeInvalid || !strings.Contains(got, want) {
			t.Errorf("parse(%q): got %v; want a refusal with %q", clip(text, 40), err, want)
		}
		if len(got) > 400 {
			t.Errorf("parse(%q): the refusal has %d characters; want a sentence", clip(text, 40), len(got))
		}
	}
}

// TestQuotesOfKeyboards: each pair that phones and languages make keeps two
// words together and nothing behind them.
func TestQuotesOfKeyboards(t *testing.T) {
	for language, quotes := range map[string]string{
		"typewriter": `"…"`, "typewriter, single": "'…'",
		"English": "“…”", "English, single": "‘…’",
		"German": "„…“", "German, single": "‚…‘",
		"Polish": "„…”", "Polish, single": "‚…’",
		"Swedish": "”…”", "Swedish, single": "’…’",
		"French": "«\u00a0…\u00a0»", "Danish": "»…«",
	} {
		text := "up with " + strings.Replace(quotes, "…", "xgboost&gt;=1, &lt;2", 1) + " for 3h"
		want := command{verb: verbUp, span: 3 * time.Hour, packages: []string{"xgboost>=1,<2"}}
		got, err := parse(text)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(command{}, clock{})); diff != "" || err != nil {
			t.Errorf("%s: parse(%q): %v (-want +got):\n%s", language, text, err, diff)
		}
	}
}

// TestWhateverIsTypedIsReadInTime: eight times as much as may be typed is read
// before Slack gives up. Looking through the rest at each character took half a
// minute for it.
func TestWhateverIsTypedIsReadInTime(t *testing.T) {
	for _, piece := range []string{"<", "<@", "<@U1|", "<@U1|a> ", "<#C1|x>", ">", "<>", "&lt;", "'", "“", "„", "«", "‚", "a ", "--a=", "1h ", "[", "a,", "a[,", "<http://a|"} {
		text := strings.Repeat(piece, 8*maxCommand/len(piece))
		start := time.Now()
		for _, w := range spoken(lex(text)) {
			names(w.text)
		}
		if took := time.Since(start); took > answerWithin {
			t.Errorf("%d characters of %q: took %s; want less than %s", len(text), piece, took, answerWithin)
		}
	}
}

func TestClock(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 24, 16, 30, 0, 0, time.UTC) // 18:30 in Paris; summer time ends that night
	for _, tt := range []struct {
		c    clock
		want string
	}{
		{clock{hour: 19}, "2026-10-24T17:00:00Z"},
		{clock{hour: 18}, "2026-10-25T17:00:00Z"}, // has passed, so tomorrow, in winter time
		{clock{hour: 19, today: true}, "2026-10-24T17:00:00Z"},
		{clock{hour: 19, tomorrow: true}, "2026-10-25T18:00:00Z"},
		{clock{hour: 8, minute: 30, day: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}, "2026-12-01T07:30:00Z"},
	} {
		if got, err := tt.c.at(now, paris); err != nil || got.UTC().Format(time.RFC3339) != tt.want {
			t.Errorf("%+v: got %s, %v; want %s", tt.c, got, err, tt.want)
		}
	}
	got, err := clock{hour: 18, today: true}.at(now, paris)
	if environment.CodeOf(err) != environment.CodeInvalid || !strings.Contains(environment.MessageOf(err), "It is past 18:00 already today; for you it is 18:30") {
		t.Errorf("today, and past: got %s, %v; want a refusal", got, err)
	}
}

func TestEveryCommandIsExplainedAndItsExampleParses(t *testing.T) {
	for _, v := range verbs {
		u := usage[v]
		cmd, err := parse(strings.TrimPrefix(u.example, "/dask "))
		if err != nil || cmd.verb != v {
			t.Errorf("the example of %s, %q: got %s, %v", v, u.example, cmd.verb, err)
		}
		if v != verbHelp && handlers[v] == nil {
			t.Errorf("nothing handles %s", v)
		}
	}
}
