package bot

import (
	"fmt"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

type entry struct{ summary, syntax, example, more string }

// usage explains every command; what parse refuses is shown its example.
var usage = map[verb]entry{
	verbUp: {"make an environment", "/dask up [PROFILE] [for @student] [in COURSE] [for 3h | until 18:00] [workers N] [with PKG,PKG]",
		"/dask up daskhub for 3h with xgboost", "Every part may be left out. Somebody who has one already is shown that one. Times of day are those of your Slack time zone. `for @student` is for staff."},
	verbStatus: {"how it is", "/dask status [ID]", "/dask status", "The id is only needed when you have several; the name of the profile will do."},
	verbList:   {"all that you may see", "/dask list [COURSE]", "/dask list de-2026", "Staff see what belongs to their courses."},
	verbOpen:   {"the address, and how to log in", "/dask open [ID]", "/dask open", "Only you can see the answer."},
	verbExtend: {"keep it longer", "/dask extend [2h] [ID]", "/dask extend 2h", "Without a time, one hour is added."},
	verbDown:   {"take it away", "/dask down [ID]", "/dask down", "Everything in it is deleted, also the notebooks: download what you want to keep first."},
	verbScale:  {"change the number of workers", "/dask scale N [ID]", "/dask scale 4", ""},
	verbPackages: {"change the extra Python packages", "/dask packages add|remove PKG… [on ID]",
		"/dask packages add xgboost lightgbm==4.5.0", "Notebook and workers get the same ones; both restart."},
	verbWhy:     {"why it waits, failed or will end", "/dask why [ID]", "/dask why", ""},
	verbLogs:    {"its last log lines", "/dask logs [COMPONENT] [of ID]", "/dask logs scheduler", ""},
	verbCost:    {"what it costs", "/dask cost [ID]", "/dask cost", "An estimate from list prices, not a bill."},
	verbClass:   {"start, end or look at a whole class", "/dask class up|down|status [COURSE]", "/dask class up de-2026", "For staff of the course. Whoever has one already keeps it."},
	verbLink:    {"who daskbot takes you for", "/dask link [CODE]", "/dask link", "With the code that `daskbot link` shows on the command line, it joins this Slack account to the identity there."},
	verbProject: {"let your own Google Cloud credits pay", "/dask project PROJECT-ID", "/dask project my-class-2026", "`/dask project` shows the one that is linked, `/dask project none` unlinks it."},
	verbHelp:    {"this, or more about one command", "/dask help [COMMAND]", "/dask help up", ""},
}

// help is the answer to `/dask help [topic]`.
func help(topic string) string {
	if topic != "" {
		v, err := verbOf(word{text: topic})
		if err != nil {
			return escape(environment.MessageOf(err))
		}
		u := usage[v]
		return strings.TrimSpace(fmt.Sprintf("*/dask %s*: %s.\n`%s`\nFor example `%s`\n%s", v, u.summary, u.syntax, u.example, u.more))
	}
	var b strings.Builder
	b.WriteString("*/dask* gives you Dask on Kubernetes and takes it away again.\n")
	for _, v := range verbs {
		fmt.Fprintf(&b, "• `/dask %s` – %s\n", v, usage[v].summary)
	}
	b.WriteString("`/dask help up` says more about one of them; `/dask` alone shows what you have.")
	return b.String()
}
