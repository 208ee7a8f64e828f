package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Loop brings keys to their wanted state, one call at a time per key.
type Loop struct {
	name      string
	queue     workqueue.TypedRateLimitingInterface[string]
	reconcile Func
	log       *slog.Logger
}

// Func brings one key to its wanted state. It returns after how long it wants
// to look again (0: when something changes). An error is logged and the key is
// tried again, later each time.
type Func func(ctx context.Context, key string) (again time.Duration, err error)

// New makes a loop that calls f.
func New(name string, log *slog.Logger, f Func) *Loop {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)
	return &Loop{
		name: name, reconcile: f, log: log.With("controller", name),
		queue: workqueue.NewTypedRateLimitingQueue(limiter),
	}
}

// Add asks for a look at key.
func (l *Loop) Add(key string) { l.queue.Add(key) }

// AddAfter asks for a look at key in a while.
func (l *Loop) AddAfter(key string, d time.Duration) { l.queue.AddAfter(key, d) }

// Watch asks for a look at an object's namespace/name whenever the informer
// sees it change.
func (l *Loop) Watch(informer cache.SharedIndexInformer) {
	l.WatchBy(informer, func(object any) []string {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
		if err != nil {
			return nil
		}
		return []string{key}
	})
}

// WatchBy asks for a look at the keys of an object whenever the informer sees
// it change. A deleted object may come as cache.DeletedFinalStateUnknown.
func (l *Loop) WatchBy(informer cache.SharedIndexInformer, keys func(object any) []string) {
	add := func(object any) {
		for _, key := range keys(object) {
			l.queue.Add(key)
		}
	}
	// The only error is "informer has stopped", and then nothing follows.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, DeleteFunc: add,
		UpdateFunc: func(_, object any) { add(object) },
	})
}

// Run works with that many workers until ctx is done.
func (l *Loop) Run(ctx context.Context, workers int) {
	stop := context.AfterFunc(ctx, l.queue.ShutDown)
	defer stop()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for l.next(ctx) {
			}
		})
	}
	group.Wait()
}

func (l *Loop) next(ctx context.Context) bool {
	key, shutdown := l.queue.Get()
	if shutdown {
		return false
	}
	defer l.queue.Done(key)
	if ctx.Err() != nil {
		return false
	}
	again, err := l.reconcile(ctx, key)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		l.log.Debug("will try again", "key", key, "error", err)
		l.queue.AddRateLimited(key)
	default:
		l.queue.Forget(key)
		if again > 0 {
			l.queue.AddAfter(key, again)
		}
	}
	return true
}
