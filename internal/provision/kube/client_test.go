package kube

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestClientsOfClustersThatAreGoneAreForgotten: a class makes hundreds of
// clusters a day, and nobody says when one is gone for good.
func TestClientsOfClustersThatAreGoneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		reach := func(name string) *link {
			t.Helper()
			l, err := c.link(environment.Target{Key: name, Host: "https://" + name + ".example"})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		lives := reach("lives")
		for minute := range 60 { // one comes and goes every minute; one stays and is looked at
			reach(fmt.Sprint("goes-", minute))
			time.Sleep(time.Minute)
			if reach("lives") != lives {
				t.Fatalf("the client of a cluster in use was made anew after %d minutes", minute)
			}
		}
		if got, most := len(c.links), 1+int(idleClient/time.Minute)+1; got > most {
			t.Errorf("%d clients are kept; want at most %d", got, most)
		}
	})
}
