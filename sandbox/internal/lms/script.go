package lms

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// Where a script strikes.
const (
	onLaunch = "launch"
	onRoster = "roster"
	onToken  = "token"
	onKeys   = "keys"
)

// kinds of misbehaviour beside launches, by where they strike.
var kinds = map[string][]string{
	onRoster: {"roster-500", "roster-loop", "roster-elsewhere", "roster-bomb", "roster-twice", "roster-odd", "roster-garbage"},
	onToken:  {"token-500", "token-refused", "token-garbage"},
	onKeys:   {"keys-500", "keys-garbage", "keys-elsewhere"},
}

// script is something that goes wrong, once or until it is deleted.
type script struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Course string `json:"course,omitempty"` // "" is any
	Times  int    `json:"times"`            // 0 lasts
	Value  int    `json:"value,omitempty"`  // how many members a bomb has
}

// at says where a kind strikes.
func at(kind string) string {
	if launchKinds[kind] {
		return onLaunch
	}
	for point, all := range kinds {
		if slices.Contains(all, kind) {
			return point
		}
	}
	return ""
}

// script tells and uses up the script that strikes at a point. The caller
// holds the lock.
func (p *Platform) script(point, course string) *script {
	for i, s := range p.scripts {
		if at(s.Kind) != point || s.Course != "" && s.Course != course {
			continue
		}
		struck := *s
		if s.Times == 1 {
			p.scripts = slices.Delete(p.scripts, i, i+1)
		} else if s.Times > 1 {
			s.Times--
		}
		return &struck
	}
	return nil
}

func (p *Platform) addScript(w http.ResponseWriter, r *http.Request) {
	s := script{Times: 1}
	if err := respond.Read(w, r, &s); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	if at(s.Kind) == "" {
		respond.Error(w, p.cfg.Log, respond.Invalid("%q is no misbehaviour; GET /lms/misbehaviours lists them", s.Kind))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memory.Numbers++
	s.ID = strconv.Itoa(p.memory.Numbers)
	p.scripts = append(p.scripts, &s)
	respond.JSON(w, http.StatusCreated, s)
}

func (p *Platform) serveScripts(w http.ResponseWriter, _ *http.Request) {
	known := map[string][]string{onLaunch: {}}
	for kind := range launchKinds {
		known[onLaunch] = append(known[onLaunch], kind)
	}
	slices.Sort(known[onLaunch])
	for point, all := range kinds {
		known[point] = all
	}
	p.tell(w, func() (any, error) {
		return map[string]any{"active": append([]*script{}, p.scripts...), "kinds": known, "tampering": tamperings}, nil
	})
}

func (p *Platform) deleteScripts(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = slices.DeleteFunc(p.scripts, func(s *script) bool { return id == "" || s.ID == id })
	w.WriteHeader(http.StatusNoContent)
}
