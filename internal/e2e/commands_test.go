package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds everything that a script waits for.
const patience = 3 * time.Minute

// worldKey is under which a script's Env holds its world.
type worldKey struct{}

// setUp gives a script its world. The script starts the daemon itself.
func setUp(e *testscript.Env) error {
	ctx, cancel := context.WithCancel(context.Background())
	w, err := newWorld(ctx, e.WorkDir)
	if err != nil {
		cancel()
		return err
	}
	e.Values[worldKey{}] = &stageHand{world: w, ctx: ctx}
	for _, kv := range w.environ() {
		name, value, _ := strings.Cut(kv, "=")
		e.Setenv(name, value)
	}
	e.Setenv("PROJECT", w.project)
	e.Setenv("SANDBOX", stage.sandbox.url)
	e.Setenv("BIN", program(""))
	e.Defer(func() {
		err := w.close()
		cancel()
		t, ok := e.T().(interface {
			Errorf(format string, args ...any)
			Failed() bool
		})
		if !ok {
			return
		}
		if err != nil {
			t.Errorf("%v", err)
		}
		if t.Failed() && w.daemon != nil {
			e.T().Log("the daemon's last words:\n" + w.daemon.lastWords(60))
		}
	})
	return nil
}

// stageHand is a script's world with the context its commands run under.
type stageHand struct {
	*world
	ctx context.Context
}

// command is one that scripts may use; neg is set after a "!".
type command func(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error

// commands are what scripts may use beside testscript's own.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	out := map[string]func(*testscript.TestScript, bool, []string){}
	for name, c := range map[string]command{
		"daemon":    daemonCommand,  // daemon start [CONFIG] | stop | restart | kill9
		"daskbot":   daskbotCommand, // daskbot ARGS...: the client
		"exits":     exitsCommand,   // exits CODE ARGS...: the client, and its exit code
		"until":     untilCommand,   // until REGEXP ARGS...: the client, again and again
		"atonce":    atOnceCommand,  // atonce N VAR ARGS...: N clients; all must answer the same id
		"capture":   captureCommand, // capture VAR FIELD: from the JSON that was just printed
		"await":     awaitCommand,   // await ID STATE
		"fault":     faultCommand,   // fault JSON
		"nofaults":  noFaultsCommand,
		"resources": resourcesCommand, // resources [empty [PROJECT]]
		"drained":   drainedCommand,   // wait until resources are empty
		"clusters":  clustersCommand,  // clusters N
		"login":     loginCommand,     // [!] login hub|jupyter URL USER PASSWORD
		"http":      httpCommand,      // http STATUS METHOD PATH [BODY [HEADER...]]
		"fetch":     fetchCommand,     // fetch URL: what anybody may read
		"kube":      kubeCommand,      // [!] kube KUBECONFIG|admin PATH
		"values":    valuesCommand,    // values KUBECONFIG NAMESPACE RELEASE
		"borrow":    borrowCommand,    // borrow NAME FILE: somebody else's cluster, and a kubeconfig for it
	} {
		out[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			w, ok := ts.Value(worldKey{}).(*stageHand)
			if !ok {
				ts.Fatalf("the script has no world")
			}
			if err := c(ts, w, neg, args); err != nil {
				ts.Fatalf("%s: %v", name, err)
			}
		}
	}
	return out
}

var errUsage = errors.New("wrong arguments; see commands in commands_test.go")

func daemonCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) == 0 || neg {
		return errUsage
	}
	switch args[0] {
	case "start":
		if len(args) == 2 {
			w.config = ts.MkAbs(args[1])
		}
		return w.start(w.ctx)
	case "stop":
		return w.stop()
	case "restart":
		return errors.Join(w.stop(), w.start(w.ctx))
	case "kill9":
		return w.kill9()
	default:
		return errUsage
	}
}

// expect turns the result of a command into that of its line.
func expect(neg bool, err error) error {
	switch {
	case neg && err == nil:
		return errors.New("it was to fail and did not")
	case neg:
		return nil
	default:
		return err
	}
}

func daskbotCommand(ts *testscript.TestScript, _ *stageHand, neg bool, args []string) error {
	return expect(neg, ts.Exec(stage.daskbot, args...))
}

func exitsCommand(ts *testscript.TestScript, _ *stageHand, neg bool, args []string) error {
	if len(args) < 2 || neg {
		return errUsage
	}
	err := ts.Exec(stage.daskbot, args[1:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return err
	}
	if strconv.Itoa(code) != args[0] {
		return fmt.Errorf("it exited with %d; want %s", code, args[0])
	}
	return nil
}

// client prepares a run of the client as the script's current person.
func (w *stageHand) client(ctx context.Context, ts *testscript.TestScript, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, stage.daskbot, args...)
	cmd.Dir, cmd.Env = w.dir, w.environ()
	if token := ts.Getenv("DASKBOT_TOKEN"); token != "" {
		cmd.Env = append(cmd.Env, "DASKBOT_TOKEN="+token)
	}
	return cmd
}

func untilCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) < 2 || neg {
		return errUsage
	}
	want, err := regexp.Compile(`(?m)` + args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	var out []byte
	err = until(ctx, "wait for "+args[0], func() (bool, error) {
		out, _ = w.client(ctx, ts, args[1:]...).Output() // what it did not print is not there yet
		return want.Match(out), nil
	})
	_, _ = ts.Stdout().Write(out)
	return err
}

func atOnceCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) < 3 || neg {
		return errUsage
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	clients := make([]*exec.Cmd, n)
	outs := make([]bytes.Buffer, n)
	for i := range clients {
		clients[i] = w.client(ctx, ts, append(slices.Clone(args[2:]), "-o", "json")...)
		clients[i].Stdout = &outs[i]
		if err := clients[i].Start(); err != nil {
			return err
		}
	}
	ids := map[string]bool{}
	for i, c := range clients {
		var e env
		if err := errors.Join(c.Wait(), json.Unmarshal(outs[i].Bytes(), &e)); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		ids[e.ID] = true
		ts.Setenv(args[1], e.ID)
	}
	if len(ids) != 1 {
		return fmt.Errorf("%d clients were given %d environments: %v", n, len(ids), ids)
	}
	return nil
}

func captureCommand(ts *testscript.TestScript, _ *stageHand, neg bool, args []string) error {
	if len(args) != 2 || neg {
		return errUsage
	}
	var at any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &at); err != nil {
		return err
	}
	for step := range strings.SplitSeq(args[1], ".") {
		m, ok := at.(map[string]any)
		if !ok || m[step] == nil {
			return fmt.Errorf("there is no %s in it", args[1])
		}
		at = m[step]
	}
	ts.Setenv(args[0], fmt.Sprint(at))
	return nil
}

func awaitCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 2 || neg {
		return errUsage
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	e, err := w.await(ctx, args[0], args[1])
	fmt.Fprintln(ts.Stdout(), e.Message)
	return err
}

func faultCommand(_ *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 1 || neg {
		return errUsage
	}
	var f map[string]any
	if err := json.Unmarshal([]byte(args[0]), &f); err != nil {
		return err
	}
	return stage.sandbox.addFault(w.ctx, w.project, f)
}

func noFaultsCommand(_ *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 0 || neg {
		return errUsage
	}
	return stage.sandbox.forgetFaults(w.ctx, w.project)
}

func resourcesCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	project := w.project
	if len(args) == 2 {
		project = args[1]
	}
	all, err := stage.sandbox.resources(w.ctx, project)
	if err != nil {
		return err
	}
	for _, r := range all {
		fmt.Fprintf(ts.Stdout(), "%s %s %s %s\n", r.Kind, r.Location, r.Name, r.Cluster)
	}
	switch {
	case neg || len(args) > 0 && args[0] != "empty":
		return errUsage
	case len(args) > 0 && len(all) > 0:
		return fmt.Errorf("%d are left: %v", len(all), all)
	default:
		return nil
	}
}

func drainedCommand(_ *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 0 || neg {
		return errUsage
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	var all []resource
	err := until(ctx, "wait until nothing is left", func() (bool, error) {
		now, err := stage.sandbox.resources(ctx, w.project)
		if err == nil {
			all = now
		}
		return err == nil && len(all) == 0, err
	})
	if err != nil {
		return fmt.Errorf("%w: %v", err, all)
	}
	return nil
}

func fetchCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 1 || neg {
		return errUsage
	}
	var body json.RawMessage
	if err := askJSON(w.ctx, http.MethodGet, args[0], nil, &body); err != nil {
		return err
	}
	return json.NewEncoder(ts.Stdout()).Encode(body)
}

func clustersCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 1 || neg {
		return errUsage
	}
	all, err := stage.sandbox.clusters(w.ctx, w.project)
	if err != nil {
		return err
	}
	for _, c := range all {
		fmt.Fprintln(ts.Stdout(), c.Name, c.Location, c.Status)
	}
	if strconv.Itoa(len(all)) != args[0] {
		return fmt.Errorf("there are %d; want %s", len(all), args[0])
	}
	return nil
}

func loginCommand(_ *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) != 4 {
		return errUsage
	}
	return expect(neg, login(w.ctx, args[0], args[1], args[2], args[3]))
}
