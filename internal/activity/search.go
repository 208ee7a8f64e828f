package activity

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/environment"
)

// notebooks asks every notebook server of a hub for its kernels. What the hub
// says and what runs must agree: a server that cannot be found is unknown.
func (l *look) notebooks(ctx context.Context, servers []hubServer) {
	among := candidates(l.pods.notebooks)
	// A group of its own: the hub holds a place in the look's while it waits.
	var group errgroup.Group
	group.SetLimit(l.prober.Concurrency)
	for _, s := range servers { // those that are starting were judged by what the hub says
		group.Go(func() error {
			if err := l.findNotebook(ctx, s, among); err != nil {
				l.unknown("server", "a notebook does not answer", err)
			}
			return nil
		})
	}
	_ = group.Wait() // every failure is a signal
}

// findNotebook asks the pods for a server, the likeliest first, until one knows
// its path. That alone proves it: how labels spell a user depends on the hub's
// version. One that does not answer at all may be another server's, and must not
// hide the one that would.
func (l *look) findNotebook(ctx context.Context, s hubServer, among *search) error {
	base, err := s.path()
	if err != nil {
		return err
	}
	var trouble error
	tried := map[string]bool{}
	for ctx.Err() == nil {
		pod := among.next(s, tried)
		if pod == nil {
			break
		}
		err := l.tryNotebook(ctx, pod.Pod, base, len(among.pods) > 1)
		among.note(pod, err)
		switch {
		case err == nil:
			return nil
		case trouble == nil && !errors.Is(err, errAbsent):
			trouble = err
		}
	}
	if trouble == nil {
		trouble = errors.New("no pod answers for " + base)
	}
	return trouble
}

// tryNotebook asks one pod for a server, with less patience where it is one of
// many.
func (l *look) tryNotebook(ctx context.Context, pod environment.Pod, base string, many bool) error {
	if many {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.patience())
		defer cancel()
	}
	c := l.client(pod, notebookPort, l.Plan.Credentials.Token)
	defer c.close()
	return l.askNotebook(ctx, c, base)
}

// search is for the pods of a hub's servers, each of which has one.
type search struct {
	mu   sync.Mutex
	pods []*candidate
}

// candidate is a pod that may be a server's.
type candidate struct {
	environment.Pod
	taken bool // it answered for a server
	mute  bool // it answered somebody nothing
}

func candidates(pods []environment.Pod) *search {
	s := &search{}
	for _, pod := range pods {
		if !pod.Pending {
			s.pods = append(s.pods, &candidate{Pod: pod})
		}
	}
	return s
}

// next is the likeliest pod that a server has not tried, nil for none; it
// counts as tried. What says that it is somebody else's is asked only where
// nothing says that it is the user's: then labels are spelt as nobody knew.
func (s *search) next(server hubServer, tried map[string]bool) *candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *candidate
	most, own := 0, false
	for _, c := range s.pods {
		own = own || server.said(c.Pod) >= usersPod
		if chance := server.chance(c); !c.taken && !tried[c.Name] && (best == nil || chance > most) {
			best, most = c, chance
		}
	}
	if best == nil || own && server.said(best.Pod) == othersPod {
		return nil
	}
	tried[best.Name] = true
	return best
}

// note takes in what became of asking a pod.
func (s *search) note(c *candidate, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.taken = c.taken || err == nil
	c.mute = c.mute || err != nil && !errors.Is(err, errAbsent)
}
