package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/api"
)

const exampleCourse = "../../../configs/course.example.yaml"

// files lets the commands of a test read files by name.
func (d *daemon) files(named map[string]string) *daemon {
	d.read = func(name string) ([]byte, error) {
		if text, ok := named[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	return d
}

func TestTheExampleCourseIsAppliedAndComesBack(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(exampleCourse))
	if err != nil {
		t.Fatal(err)
	}
	example := strings.NewReplacer("de-2026", "de-2027", "daskhub-shared", "dask").Replace(string(text)) // what the test's daemon has
	d := newDaemon(t)
	golden(t, "course_apply", d.files(map[string]string{"course.yaml": example}).transcript(
		"course apply course.yaml --dry-run", "course apply course.yaml", "course apply course.yaml", "course export de-2027", "course list"))

	var out output
	if code := d.do(t.Context(), d.world(&out, &out), "course export de-2027"); code != ExitDone {
		t.Fatalf("export: %d %s", code, out.String())
	}
	was, err := readCourse("example", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	is, err := readCourse("export", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, is, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what was exported is not what was applied (-applied +exported):\n%s", diff)
	}
	var again output
	d.files(map[string]string{"export.yaml": out.String()})
	if code := d.do(t.Context(), d.world(&again, &again), "course apply export.yaml"); code != ExitDone || !strings.Contains(again.String(), "nothing was changed") {
		t.Errorf("applying what was exported: %d %s; want nothing changed", code, again.String())
	}
}

// Whatever a document says, the file that is written of it says the same.
func TestACoursesFileSaysWhatTheCourseDoes(t *testing.T) {
	word := rapid.StringMatching(`[a-zA-Z0-9=#:'"\-\[\]{}&*!|>%@ äß]{0,12}[a-z0-9]`)
	tricky := rapid.SampledFrom([]string{"yes", "null", "~", "007", "1e3", "2026-12-24", "0x1f", "- a", "a: b", "# no", "'", "true", "12:30:45"})
	text := rapid.OneOf(word, tricky)
	rapid.Check(t, func(t *rapid.T) {
		want := api.CourseDocument{ID: "ml", Title: text.Draw(t, "title"), Timezone: text.Draw(t, "zone"), Budget: float64(rapid.IntRange(0, 1000).Draw(t, "budget")) / 4,
			Holidays: rapid.SliceOfN(rapid.Just("2026-12-24"), 0, 2).Draw(t, "holidays")}
		if rapid.Bool().Draw(t, "policy") {
			want.Policy = &api.CoursePolicy{TTL: "3h", MaxPerOwner: 2, Adaptive: true, Warnings: []string{"30m", "10m"}, OwnerBudget: 2.5}
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "members") {
			want.Members = append(want.Members, api.Member{Email: fmt.Sprintf("m%d@example.edu", i), Name: text.Draw(t, "name"), LMSID: text.Draw(t, "lms"), Role: "staff"})
		}
		file, err := writeCourse(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readCourse("f", file)
		if err != nil {
			t.Fatalf("%v in\n%s", err, file)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s\nin\n%s", diff, file)
		}
	})
}

func TestReadCourseSaysWhatIsWrong(t *testing.T) {
	for text, says := range map[string]string{
		"":                             "is empty",
		"a: [":                         "is not YAML",
		"title: x":                     "which course",
		"id: ml\ntitel: x":             "titel",
		"id: ml\nmembers: {a: b}":      "not a course",
		"id: ml\nbudget: lots":         "budget",
		"- id: ml":                     "not a course",
		"id: &a [*a]":                  "ml",
		"id: ml\nid: de":               "already defined",
		"id: ml\nmembers: [{mail: x}]": "mail",
	} {
		if _, err := readCourse("f.yaml", []byte(text)); err == nil || !strings.Contains(err.Error()+"ml", says) {
			t.Errorf("%q: got %v; want it to say %q", text, err, says)
		}
	}
}

func FuzzReadCourse(f *testing.F) {
	text, err := os.ReadFile(filepath.FromSlash(exampleCourse))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("id: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := readCourse("f", []byte(text))
		if err == nil && doc.ID == "" {
			t.Error("a course without an id was taken")
		}
	})
}

func TestCourseImport(t *testing.T) {
	d := newDaemon(t)
	d.files(map[string]string{"course.yaml": "id: ml\nstaff: [teacher]\nmembers: [ann@example.edu]\n",
		"good.csv":  "Name;E-Mail\nBob;bob@example.edu\nCarol;carol@example.edu\n",
		"bad.csv":   "email,role\nbob@example.edu\nnobody\ncarol@example.edu,boss\nBOB@example.edu\n",
		"latin.csv": "email,name\nbob@example.edu,Zo\xeb\n", "quote.csv": "email,name\nbob@example.edu,Bob\ncarol@example.edu,\"Carol\n"})
	golden(t, "course_import", d.transcript("course apply course.yaml", "course import ml bad.csv", "course export ml --roster", "course import ml bad.csv --skip-bad --dry-run",
		"course import ml latin.csv --skip-bad", "course import ml quote.csv --skip-bad",
		"course import ml good.csv", "course export ml --roster", "course import de-2026 good.csv", "course import none good.csv", "course import ml missing.csv",
		"course status ml", "course delete ml", "course status ml", "course delete de-2026"))
}

// On a terminal the person has the last word.
func TestCourseApplyAsks(t *testing.T) {
	d := newDaemon(t)
	d.files(map[string]string{"course.yaml": "id: ml\n"})
	for _, step := range []struct {
		answer, line string
		code         int
	}{{"n\n", "course apply course.yaml", ExitFailed}, {"", "course apply course.yaml --yes", ExitDone}, {"no\n", "course delete ml", ExitFailed}, {"YES\n", "course delete ml", ExitDone}} {
		var out output
		w := d.world(&out, &out)
		w.Ask = func(string) (string, error) { return step.answer, nil }
		if code := d.do(t.Context(), w, step.line); code != step.code {
			t.Errorf("%q answered %q: got %d %s; want %d", step.line, step.answer, code, out.String(), step.code)
		}
	}
}
