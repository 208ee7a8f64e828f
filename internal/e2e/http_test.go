package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

func httpCommand(ts *testscript.TestScript, w *stageHand, neg bool, args []string) error {
	if len(args) < 3 || neg {
		return errUsage
	}
	var body io.Reader
	if len(args) > 3 {
		text := args[3]
		if size, ok := strings.CutPrefix(text, "zeros:"); ok {
			n, err := strconv.Atoi(size)
			if err != nil {
				return err
			}
			text = `{"owner":"` + strings.Repeat("0", n) + `"}`
		}
		body = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.ctx, args[1], w.proxy.URL+args[2], body)
	if err != nil {
		return err
	}
	if err := w.dress(ts, req, args[min(4, len(args)):]); err != nil {
		return err
	}
	resp, err := patient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(ts.Stdout(), resp.Body); err != nil {
		return err
	}
	if strconv.Itoa(resp.StatusCode) != args[0] {
		return fmt.Errorf("the status is %s; want %s", resp.Status, args[0])
	}
	return nil
}

// dress gives a request the script's token, unless it brings its own, and its
// headers.
func (w *stageHand) dress(ts *testscript.TestScript, req *http.Request, headers []string) error {
	token := ts.Getenv("DASKBOT_TOKEN")
	if token == "" {
		var err error
		if token, err = w.token(); err != nil {
			return err
		}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if req.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ": ")
		if !ok {
			return errUsage
		}
		req.Header.Set(name, value)
	}
	return nil
}
