package store

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// longestWait is how long a transaction without a nearer deadline is willing
// to let others go first, so that nobody waits for ever.
const longestWait = 5 * time.Second

// turns lets transactions in one at a time, the one with the nearest deadline
// first: a person who is waiting for an answer goes before work that can wait.
// Left to itself, the pool of connections picks whoever is next at random.
type turns struct {
	mu      sync.Mutex
	taken   bool
	waiting queued
}

type waiter struct {
	by    time.Time
	ready chan struct{}
	index int // in the heap; -1 once it is its turn
}

// take waits for a turn and returns how to give it back. Its error is ctx's.
func (t *turns) take(ctx context.Context) (leave func(), err error) {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return t.leave, nil
	}
	w := &waiter{by: time.Now().Add(longestWait), ready: make(chan struct{})}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(w.by) {
		w.by = deadline
	}
	heap.Push(&t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.ready:
		return t.leave, nil
	case <-ctx.Done():
		t.giveUp(w)
		return nil, ctx.Err()
	}
}

// giveUp leaves the queue; a turn that came at the same moment is passed on.
func (t *turns) giveUp(w *waiter) {
	t.mu.Lock()
	if w.index >= 0 {
		heap.Remove(&t.waiting, w.index)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.leave()
}

func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(heap.Pop(&t.waiting).(*waiter).ready)
}

// queued is a heap of waiters.
type queued []*waiter

func (q queued) Len() int           { return len(q) }
func (q queued) Less(i, j int) bool { return q[i].by.Before(q[j].by) }
func (q queued) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is heap's.
func (q *queued) Push(x any) {
	w := x.(*waiter)
	w.index = len(*q)
	*q = append(*q, w)
}

// Pop is heap's.
func (q *queued) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q, w.index = (*q)[:last], -1
	return w
}
