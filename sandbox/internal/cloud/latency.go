package cloud

import (
	"maps"
	"math/rand/v2"
	"time"
)

// Names of what takes time. A caller that waits asks for one by name.
const (
	ClusterCreate      = "cluster-create"
	ClusterDelete      = "cluster-delete"
	ClusterUpdate      = "cluster-update" // labels and settings
	ControlPlaneChange = "control-plane"  // upgrades, autoscaler on or off
	NodePoolCreate     = "node-pool-create"
	NodePoolDelete     = "node-pool-delete"
	NodePoolResize     = "node-pool-resize"
	StockoutHold       = "stockout" // how long a stocked-out operation holds its lock
	ComputeCall        = "compute-operation"
	NodeBoot           = "node-boot"
	LoadBalancerUp     = "load-balancer"
	DiskCreate         = "disk"
	PodStart           = "pod-start"
	ScaleUp            = "autoscaler-scale-up"
	ScaleDown          = "autoscaler-scale-down"
)

// presets are complete sets of latencies: fast for people and tests, gke for
// the times the real thing was seen to take.
var presets = map[string]func() map[string]Latency{
	"fast": func() map[string]Latency {
		ms := func(lo, hi int) Latency {
			return Latency{Min: time.Duration(lo) * time.Millisecond, Max: time.Duration(hi) * time.Millisecond}
		}
		return map[string]Latency{
			ClusterCreate: ms(800, 1200), ClusterDelete: ms(300, 600), ClusterUpdate: ms(100, 200),
			ControlPlaneChange: ms(1000, 1500), NodePoolCreate: ms(400, 700), NodePoolDelete: ms(300, 500),
			NodePoolResize: ms(300, 500), StockoutHold: ms(3000, 3000), ComputeCall: ms(50, 100),
			NodeBoot: ms(250, 350), LoadBalancerUp: ms(250, 350), DiskCreate: ms(50, 100), PodStart: ms(100, 300),
			ScaleUp: ms(200, 300), ScaleDown: ms(10000, 10000),
		}
	},
	"gke": func() map[string]Latency {
		s := func(lo, hi int) Latency {
			return Latency{Min: time.Duration(lo) * time.Second, Max: time.Duration(hi) * time.Second}
		}
		return map[string]Latency{
			ClusterCreate: s(190, 214), ClusterDelete: s(164, 220), ClusterUpdate: s(4, 8),
			ControlPlaneChange: s(150, 240), NodePoolCreate: s(64, 116), NodePoolDelete: s(60, 120),
			NodePoolResize: s(95, 150), StockoutHold: s(2400, 2400), ComputeCall: s(2, 8),
			NodeBoot: s(90, 100), LoadBalancerUp: s(40, 55), DiskCreate: s(4, 6), PodStart: s(30, 60),
			ScaleUp: s(5, 10), ScaleDown: s(600, 600),
		}
	},
}

// Latency is how long the named thing takes now; zero for an unknown name.
func (w *World) Latency(name string) Latency {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Latencies[name]
}

// Latencies are all of them, and the preset they started from.
func (w *World) Latencies() (preset string, all map[string]Latency) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Preset, maps.Clone(w.state.Latencies)
}

// SetLatencies takes a preset, when one is named, and then single changes on
// top of it. An unknown preset or name is InvalidArgument. What is already
// being waited for keeps the time it was given.
func (w *World) SetLatencies(preset string, single map[string]Latency) error {
	return w.change(func(s *state) error {
		all := maps.Clone(s.Latencies)
		if preset != "" {
			make, ok := presets[preset]
			if !ok {
				return Errorf(InvalidArgument, "there is no latency preset %q; there are fast and gke", preset)
			}
			all = make()
		} else {
			preset = s.Preset
		}
		for name, l := range single {
			if _, ok := all[name]; !ok {
				return Errorf(InvalidArgument, "nothing called %q takes time; see GET /latencies", name)
			}
			if l.Min < 0 || l.Max < l.Min {
				return Errorf(InvalidArgument, "latency %q: max must be at least min, and min at least 0", name)
			}
			all[name] = l
		}
		s.Preset, s.Latencies = preset, all
		return nil
	})
}

// Draw is one time from the spread.
func (l Latency) Draw() time.Duration {
	if l.Max <= l.Min {
		return l.Min
	}
	return l.Min + rand.N(l.Max-l.Min)
}
