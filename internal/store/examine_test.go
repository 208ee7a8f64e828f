package store_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// TestExamineTellsARefusalFromANewStore: to an account without rights tables do
// not exist, and neither do they where the daemon may make them.
func TestExamineTellsARefusalFromANewStore(t *testing.T) {
	for name, c := range map[string]struct {
		tables bool   // the store was made, by another account
		grant  string // to the account
		isNew  bool
		code   environment.Code
	}{
		"may do everything":     {grant: "USAGE, CREATE", isNew: true},
		"may make no tables":    {grant: "USAGE", code: environment.CodeForbidden},
		"may not look":          {code: environment.CodeForbidden},
		"may not read":          {tables: true, grant: "USAGE, CREATE", code: environment.CodeForbidden},
		"may not look at those": {tables: true, code: environment.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			owner := freshPostgres(t)
			if c.tables {
				open(t, owner)
			}
			got, err := store.Examine(t.Context(), store.Config{URL: weak(t, owner, c.grant)})
			wantCode(t, err, c.code)
			if err == nil && got.New != c.isNew {
				t.Errorf("got %+v; want new %v", got, c.isNew)
			}
		})
	}
}

// weak makes an account that has only these rights in the schema of a database,
// and gives the URL with it.
func weak(t *testing.T, owner, grant string) string {
	t.Helper()
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	account := "weak_" + strings.Trim(u.Path, "/")
	statements := `CREATE ROLE ` + account + ` LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC;`
	if grant != "" {
		statements += ` GRANT ` + grant + ` ON SCHEMA public TO ` + account
	}
	db, _ := tables(t, owner)
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	u.User = url.User(account)
	return u.String()
}
