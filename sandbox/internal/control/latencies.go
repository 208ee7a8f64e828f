package control

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// span is how a latency is written: as Go durations.
type span struct {
	Min string `json:"min"`
	Max string `json:"max"`
}

func (h *handler) latencies(w http.ResponseWriter, _ *http.Request) {
	preset, all := h.cfg.World.Latencies()
	shown := map[string]span{}
	for name, l := range all {
		shown[name] = span{Min: l.Min.String(), Max: l.Max.String()}
	}
	write(w, http.StatusOK, map[string]any{"preset": preset, "latencies": shown})
}

// setLatencies takes {"preset": "gke"}, and beside it or instead single ones:
// {"node-boot": "3s"} or {"node-boot": {"min": "2s", "max": "4s"}}.
func (h *handler) setLatencies(w http.ResponseWriter, r *http.Request) {
	var body map[string]json.RawMessage
	if err := read(w, r, &body); err != nil {
		h.refuse(w, err)
		return
	}
	preset := ""
	single := map[string]cloud.Latency{}
	for name, raw := range body {
		if name == "preset" {
			if err := json.Unmarshal(raw, &preset); err != nil {
				h.refuse(w, cloud.Errorf(cloud.InvalidArgument, "preset: %v", err))
				return
			}
			continue
		}
		l, err := parseSpan(raw)
		if err != nil {
			h.refuse(w, cloud.Errorf(cloud.InvalidArgument, "%s: %v", name, err))
			return
		}
		single[name] = l
	}
	if err := h.cfg.World.SetLatencies(preset, single); err != nil {
		h.refuse(w, err)
		return
	}
	h.latencies(w, r)
}

func parseSpan(raw json.RawMessage) (cloud.Latency, error) {
	var s span
	var fixed string
	if err := json.Unmarshal(raw, &fixed); err == nil {
		s = span{Min: fixed, Max: fixed}
	} else if err := json.Unmarshal(raw, &s); err != nil {
		return cloud.Latency{}, err
	}
	lo, err := time.ParseDuration(s.Min)
	if err != nil {
		return cloud.Latency{}, err
	}
	hi, err := time.ParseDuration(s.Max)
	return cloud.Latency{Min: lo, Max: hi}, err
}
