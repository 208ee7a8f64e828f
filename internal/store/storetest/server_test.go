package storetest

import (
	"errors"
	"strings"
	"testing"
)

// told notes how a test would have ended.
type told struct {
	testing.TB
	how string
}

func (o *told) Helper()               {}
func (o *told) Fatalf(string, ...any) { o.how += "failed" }
func (o *told) Skipf(string, ...any)  { o.how += "skipped" }

func TestWithoutPostgresContinuousIntegrationFails(t *testing.T) {
	for ci, want := range map[string]string{"true": "failed", "": "skipped"} {
		t.Setenv("CI", ci)
		o := &told{TB: t}
		NoPostgres(o, errors.New("initdb is not installed"))
		if !strings.HasPrefix(o.how, want) {
			t.Errorf("CI=%q: the test is %s; want %s", ci, o.how, want)
		}
	}
}
