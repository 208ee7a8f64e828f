package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestReadRoster(t *testing.T) {
	student := func(m environment.Member) environment.Member {
		m.Role = environment.MemberStudent
		return m
	}
	ann := student(environment.Member{Name: "Ann Ärlig", Email: "ann@example.edu"})
	for name, c := range map[string]struct {
		text string
		want []environment.Member
		bad  []string // "where: what", in part
	}{
		"plain":              {"email,name\nAnn@example.edu,Ann Ärlig\n", []environment.Member{ann}, nil},
		"a mark, semicolons": {"\ufeffName;E-Mail\r\nAnn Ärlig;ann@example.edu\r\n", []environment.Member{ann}, nil},
		"tabs":               {"email\tname\nann@example.edu\tAnn Ärlig", []environment.Member{ann}, nil},
		"tabs, empty cells": {"email\tname\tlmsId\trole\nann@example.edu\t\t4711\tstaff\n\t\t\t\nbob@example.edu\t Bob \t\t\n", []environment.Member{
			{Email: "ann@example.edu", LMSID: "4711", Role: environment.MemberStaff}, student(environment.Member{Email: "bob@example.edu", Name: "Bob"})}, nil},
		"tabs, the first cell is empty": {"name\temail\n\tann@example.edu\n", []environment.Member{student(environment.Member{Email: "ann@example.edu"})}, nil},
		"Canvas's gradebook": {"Student,ID,SIS User ID,SIS Login ID,Section,Lab\n,,,,,Manual Posting\n    Points Possible,,,,,10\n\"Lovelace, Ada\",4711,S1,ada@example.edu,1,9\n\"Student, Test\",99,,,1,\n",
			[]environment.Member{student(environment.Member{Name: "Lovelace, Ada", LMSID: "4711", Email: "ada@example.edu"})}, nil},
		"a person without a login": {"Student,ID,SIS Login ID\n\"Bell, Test\",98,\n", nil, []string{"line 2, line: A member needs an e-mail"}},
		"letters put together":     {"email,name\nann@example.edu,Ann A\u0308rlig\n", []environment.Member{ann}, nil},
		"a column of theirs":       {"Student,ID,SIS Login ID,Section\n\"Ärlig, Ann\",4711,ann@example.edu,1\n", []environment.Member{student(environment.Member{Name: "Ärlig, Ann", LMSID: "4711", Email: "ann@example.edu"})}, nil},
		"a Macintosh's lines": {"name;email\rAnn Ärlig;ann@example.edu\r\r\"Bob\";bob@example.edu\rnobody;\r", []environment.Member{ann,
			student(environment.Member{Email: "bob@example.edu", Name: "Bob"})}, []string{"line 5, line: A member needs an e-mail"}},
		"empty lines":           {"email\n\nann@example.edu\n,,\n", []environment.Member{student(environment.Member{Email: "ann@example.edu"})}, nil},
		"a formula":             {"email,name\nann@example.edu,=HYPERLINK(\"x\")\n", nil, []string{"line 2, line: its quotes"}},
		"a formula, quoted":     {"email,name\nann@example.edu,'=1+1\n", []environment.Member{student(environment.Member{Email: "ann@example.edu", Name: "=1+1"})}, nil},
		"a gradebook of nobody": {"Student,ID,SIS Login ID,Lab\n,,,Manual Posting\n    Points Possible,,,10\n\"Student, Test\",99,,\n", nil, []string{"line 1, file: nobody is in it"}},
		"an empty class":        {"email,name\n", nil, nil},
		"nothing":               {"", nil, []string{"line 1, header"}},
		"no address column":     {"name\nAnn\n", nil, []string{"line 1, header: no column is named email"}},
		"two columns for one":   {"email,mail\na@x.edu,b@x.edu\n", nil, []string{"line 1, email: two columns"}},
		"bad lines": {"email,role\nnobody\nann@example.edu,boss\nbob@example.edu\nBOB@example.edu\n,student\n", []environment.Member{student(environment.Member{Email: "bob@example.edu"})},
			[]string{"line 2, email: \"nobody\" is not", "line 3, role: \"boss\" is not a role", "line 5, email: it is the same as in line 4", "line 6, line: A member needs an e-mail"}},
		"a quote left open":        {"email,name\nann@example.edu,\"Ann\nbob@example.edu,Bob\n", nil, []string{"line 2, line: its quotes"}},
		"a quote left open, later": {"email,name\nann@example.edu,Ann\nbob@example.edu,\"Bob\n", nil, []string{"line 3, line: its quotes"}},
		"another encoding":         {"email,name\nann@example.edu,\xc4rlig\n", nil, []string{"line 1, file: it is not UTF-8"}},
		"look-alike letters":       {"email\nаnn@example.edu\n", nil, []string{"line 2, email"}},
		"the sign for kelvin":      {"email\nmi\u212ae@example.edu\nmike@example.edu\n", []environment.Member{student(environment.Member{Email: "mike@example.edu"})}, []string{"line 3, email: it is the same"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, bad := readRoster([]byte(c.text))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if len(bad) != len(c.bad) {
				t.Fatalf("got %d bad lines %+v; want %d", len(bad), bad, len(c.bad))
			}
			for i, want := range c.bad {
				if says := bad[i].Field + ": " + bad[i].Message; !strings.Contains(says, want) {
					t.Errorf("got %q; want %q", says, want)
				}
			}
		})
	}
}

func TestARosterComesBackAsItWasAndDoesNothingInASpreadsheet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []environment.Member
		for i := range rapid.IntRange(0, 8).Draw(t, "n") {
			m := Member{Email: fmt.Sprintf("m%d@example.edu", i), Name: rapid.StringMatching(`[=+\-@']?[A-Za-z ,;"'äß=+@-]{0,12}[a-z]`).Draw(t, "name"),
				LMSID: rapid.StringMatching(`[=+@-]?[0-9a-z]{0,6}`).Draw(t, "lms") + fmt.Sprint("-", i), Role: rapid.SampledFrom([]string{"student", "staff"}).Draw(t, "role")}.member()
			kept, err := m.Check()
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, kept)
		}
		text, err := writeRoster(want)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			for cell := range strings.SplitSeq(line, ",") {
				if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					// The rest of a quoted cell is no cell of its own.
					if strings.Count(line[:strings.Index(line, cell)], `"`)%2 == 0 {
						t.Fatalf("%q begins a formula in %q", cell, line)
					}
				}
			}
		}
		got, bad := readRoster(text)
		if len(bad) > 0 {
			t.Fatalf("bad lines %+v in\n%s", bad, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzReadRoster(f *testing.F) {
	f.Add("email,name\nann@example.edu,Ann\n")
	f.Add("email;name\n\"a\"\"b\";;;\n")
	f.Add("\ufeffE-Mail\n=cmd|'/c calc'!A1\n")
	f.Fuzz(func(t *testing.T, text string) {
		good, _ := readRoster([]byte(text))
		for _, m := range good {
			if again, err := m.Check(); err != nil || again != m {
				t.Errorf("%+v was taken and is %+v, %v", m, again, err)
			}
		}
	})
}
