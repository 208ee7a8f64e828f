package environment

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTeachesAndCourseMeant(t *testing.T) {
	o := newOffice(t, Member{Subject: "ann", Role: MemberStaff}, Member{Subject: "bob"}, Member{Subject: "carol"})
	if _, err := o.ApplyCourse(t.Context(), boss, Course{ID: "nlp", Staff: []string{"tutor"}, Members: []Member{{Subject: "carol"}}}, 0, false); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]struct {
		role  Role
		teach []string
		meant string // without a usual course
	}{
		"ann":   {RoleStaff, []string{"ml"}, "ml"},
		"tutor": {RoleStaff, []string{"ml", "nlp"}, ""},
		"bob":   {RoleStudent, nil, "ml"},
		"carol": {RoleStudent, nil, ""},
		"dave":  {RoleStudent, nil, ""},
	} {
		who, err := o.Teaches(t.Context(), Caller{Subject: subject, Role: RoleStudent})
		if err != nil || who.Role != want.role || len(who.Courses) != len(want.teach) {
			t.Errorf("%s: got %+v, %v; want %s of %v", subject, who, err, want.role, want.teach)
		}
		meant, err := o.CourseMeant(t.Context(), who, "")
		if diff := cmp.Diff(want.meant, meant); diff != "" || err != nil {
			t.Errorf("%s means %q, %v; want %q", subject, meant, err, want.meant)
		}
	}
	if meant, _ := o.CourseMeant(t.Context(), Caller{Subject: "bob"}, "usual"); meant != "usual" {
		t.Errorf("got %q; want the usual one", meant)
	}
}
