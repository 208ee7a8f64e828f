package main

import (
	"runtime"
	"strconv"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// judgeMany learns from a look at each of n environments and judges it, as a
// sweep does once it has asked them all. A third are in use, a third have just
// become idle and a third are near their end.
func judgeMany(n int) map[string]float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	habits := &environment.Habits{}
	seats := make([]*seat, n)
	now := start.Add(10 * time.Hour)
	for i := range seats {
		s := &seat{e: environment.Environment{ID: strconv.Itoa(i), Owner: strconv.Itoa(i), Desired: environment.Present,
			State: environment.StateReady, CreatedAt: start, ReadyAt: start.Add(creating), ExpiresAt: start.Add(limits.TTL)}}
		s.last = now.Add(-time.Duration(i%3) * 14 * time.Minute)
		seats[i] = s
	}
	var begin time.Time
	for _, at := range []time.Time{now, now.Add(time.Minute)} { // the second look is what is acted on
		begin = time.Now()
		for _, s := range seats {
			s.use.Learn(limits, s.e, s.look(at), nil)
			habits.Observe(s.e, false, s.use)
			s.use.Bound(limits, s.e, *habits)
			environment.Judge(limits, s.e, s.use, at)
		}
	}
	took := time.Since(begin)
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	runtime.KeepAlive(seats)
	return map[string]float64{"seconds": took.Seconds(), "mb": mb}
}
