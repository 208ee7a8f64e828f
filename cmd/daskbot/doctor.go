package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

// finding is one thing that the doctor looked at.
type finding struct {
	Check  string `json:"check"`
	Status status `json:"status"`
	Says   string `json:"says"`           // what is well, or what is wrong
	Mend   string `json:"mend,omitempty"` // what to do about it
}

// status is how a finding is; only fail makes the doctor fail.
type status string

const (
	isWell status = "ok"
	isOdd  status = "warn"
	isIll  status = "fail"
)

func well(format string, args ...any) finding {
	return finding{Status: isWell, Says: fmt.Sprintf(format, args...)}
}

func odd(mend, format string, args ...any) finding {
	return finding{Status: isOdd, Says: fmt.Sprintf(format, args...), Mend: mend}
}

func ill(mend, format string, args ...any) finding {
	return finding{Status: isIll, Says: fmt.Sprintf(format, args...), Mend: mend}
}

// examined is what the doctor looks at.
type examined struct {
	cfg  *config.Config
	http *http.Client
	now  func() time.Time
}

// check is one question; its findings carry its name.
type check struct {
	name string
	ask  func(examined, context.Context) []finding
}

// checkLimit bounds one check: what takes longer does not answer.
const checkLimit = 30 * time.Second

// checks are all questions, in the order in which they are told.
var checks = []check{
	{"store", examined.store}, {"secrets", examined.secrets}, {"credentials", examined.cloud}, {"permissions", examined.permissions},
	{"quota", examined.quota}, {"clock", examined.clock}, {"charts", examined.charts}, {"clusters", examined.clusters},
	{"address", examined.address}, {"slack", examined.slack}, {"identity provider", examined.identity}, {"prices", examined.prices},
}

func newDoctorCommand() *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "doctor --config FILE",
		Short: "Look at everything daskbot needs, and say how to mend what is wrong",
		Long: "Look at everything daskbot needs: configuration, store, secrets, cloud credentials, APIs, permissions and\n" +
			"quota, clock, chart repositories and each profile's charts, given clusters, its own address, Slack, the\n" +
			"identity provider and the age of prices. It changes nothing, may run beside the daemon, and needs the\n" +
			"same environment variables. It exits 1 when anything is wrong; warnings do not count.",
		Example: "  daskbot doctor --config /etc/daskbot/daskbot.yaml\n  daskbot doctor --config daskbot.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := diagnose(cmd.Context(), file)
			if err := tellFindings(cmd.OutOrStdout(), format, findings); err != nil {
				return err
			}
			return verdict(findings)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file")
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

// diagnose asks every question. Without a configuration there is only one.
func diagnose(ctx context.Context, file string) []finding {
	cfg, err := loadConfig(file)
	if err != nil {
		return misconfigured(err)
	}
	x := examined{cfg: cfg, http: &http.Client{Timeout: 10 * time.Second}, now: time.Now}
	answers := make([][]finding, len(checks))
	var group errgroup.Group
	group.SetLimit(4)
	for i, c := range checks {
		group.Go(func() error {
			within, cancel := context.WithTimeout(ctx, checkLimit)
			defer cancel()
			answers[i] = c.ask(x, within)
			return nil
		})
	}
	_ = group.Wait() // nothing above returns an error
	first := well("%s is fine.", file)
	first.Check = "configuration"
	findings := []finding{first}
	for i, c := range checks {
		for _, f := range answers[i] {
			f.Check = c.name
			findings = append(findings, f)
		}
	}
	return findings
}

func misconfigured(err error) []finding {
	var problems config.Problems
	if !errors.As(err, &problems) {
		f := ill("Give the path of a file that this account may read.", "%v.", err)
		f.Check = "configuration"
		return []finding{f}
	}
	findings := make([]finding, len(problems))
	for i, p := range problems {
		findings[i] = ill("Correct that line; configs/example.yaml shows every key.", "%s", p)
		findings[i].Check = "configuration"
	}
	return findings
}

func tellFindings(w io.Writer, format string, findings []finding) error {
	if format == "json" {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(map[string]any{"findings": findings})
	}
	marks := map[status]string{isWell: "ok  ", isOdd: "warn", isIll: "FAIL"}
	for _, f := range findings {
		text := fmt.Sprintf("%s  %-17s %s\n", marks[f.Status], f.Check, f.Says)
		if f.Mend != "" {
			text += "                         " + strings.ReplaceAll(f.Mend, "\n", "\n                         ") + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

func verdict(findings []finding) error {
	wrong := 0
	for _, f := range findings {
		if f.Status == isIll {
			wrong++
		}
	}
	switch wrong {
	case 0:
		return nil
	case 1:
		return errors.New("one thing is wrong")
	default:
		return fmt.Errorf("%d things are wrong", wrong)
	}
}

// only makes findings of one.
func only(f finding) []finding { return []finding{f} }

// because is an error as the doctor tells it: to whoever runs daskbot, and so
// with its cause.
func because(err error) string {
	var e *environment.Error
	if errors.As(err, &e) && e.Err != nil {
		return strings.TrimSuffix(e.Message, ".") + ": " + e.Err.Error()
	}
	return environment.MessageOf(err)
}
