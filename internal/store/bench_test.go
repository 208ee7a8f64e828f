package store_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

func BenchmarkCommit(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkCommit(b, openQuiet(b, freshSQLite(b))) })
	b.Run("postgres", func(b *testing.B) { benchmarkCommit(b, openQuiet(b, freshPostgres(b))) })
}

// benchmarkCommit is a command's transaction, from eight clients: the row,
// its secrets, an event and a wake-up.
func benchmarkCommit(b *testing.B, s *store.Store) {
	var client atomic.Int64
	cpu := processTime(b)
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		e := anEnvironment(fmt.Sprintf("e%d", client.Add(1)))
		e.Secrets = environment.Secrets{environment.SecretPassword: environment.NewSecret("correct horse")}
		for pb.Next() {
			err := s.Commit(context.Background(), environment.Change{
				Environment: &e, Wake: wakeEnvironment(e.ID),
				Events: []environment.Event{{Environment: e.ID, Type: environment.EventPhase, Message: "Installing."}},
			})
			if err != nil {
				b.Error(err)
				return
			}
			e.Version++
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64((processTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkList reads a page of a class of a thousand, and what one of them has.
func BenchmarkList(b *testing.B) {
	s := openQuiet(b, freshSQLite(b))
	for i := range 1000 {
		e := anEnvironment(fmt.Sprintf("e%d", i))
		e.CreatedAt = day.Add(time.Duration(i) * time.Second)
		e.Course = "large"
		commit(b, s, environment.Change{Environment: &e})
	}
	for name, filter := range map[string]environment.Filter{
		"page": {Limit: 100},
		"own":  {Owner: anEnvironment("e500").Owner, Course: "large", Limit: 1},
	} {
		b.Run(name, func(b *testing.B) {
			cpu := processTime(b)
			for b.Loop() {
				if got, _, err := s.Environments(b.Context(), filter); err != nil || len(got) != filter.Limit {
					b.Fatalf("got %d, %v; want %d", len(got), err, filter.Limit)
				}
			}
			b.ReportMetric(float64((processTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func Benchmark500Rows(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkRows(b, openQuiet(b, freshSQLite(b)), 500) })
	b.Run("postgres", func(b *testing.B) { benchmarkRows(b, openQuiet(b, freshPostgres(b)), 500) })
}

// benchmarkRows brings rows up at once as the runner does: a pass of 100 ms,
// recorded, then a wait of 2 s, until each is 10 s old. With no queue in the
// way that takes 10.5 s.
func benchmarkRows(b *testing.B, s *store.Store, n int) {
	for range b.N {
		var runs atomic.Int64
		var left sync.WaitGroup
		left.Add(n)
		begin, cpu := time.Now(), processTime(b)
		stop := run(b, s, func(ctx context.Context, job environment.Job) (time.Duration, error) {
			runs.Add(1)
			<-time.After(100 * time.Millisecond)
			e, err := s.Environment(ctx, job.ID)
			if err != nil {
				return 0, err
			}
			over := time.Since(begin) >= 10*time.Second
			if over {
				e.State, e.Phase = environment.StateDeleted, environment.PhaseGone
			}
			err = s.Commit(ctx, environment.Change{Environment: &e, Events: []environment.Event{{Environment: e.ID}}})
			if err != nil || !over {
				return 2 * time.Second, err
			}
			left.Done()
			return 0, nil
		})
		for i := range n {
			e := anEnvironment(fmt.Sprintf("n%d-e%d", begin.UnixNano(), i))
			commit(b, s, environment.Change{Environment: &e, Wake: wakeEnvironment(e.ID)})
		}
		left.Wait()
		b.ReportMetric(time.Since(begin).Seconds(), "s")
		b.ReportMetric(float64(runs.Load()), "passes")
		b.ReportMetric((processTime(b) - cpu).Seconds(), "cpu-s")
		stop()
	}
}

func BenchmarkIdle(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkIdle(b, openQuiet(b, freshSQLite(b))) })
	b.Run("postgres", func(b *testing.B) { benchmarkIdle(b, openQuiet(b, freshPostgres(b))) })
}

// benchmarkIdle is what the queue costs with 200 rows that wait for an hour.
func benchmarkIdle(b *testing.B, s *store.Store) {
	for range b.N {
		work, done := passes(time.Hour)
		stop := run(b, s, work)
		for i := range 200 {
			commit(b, s, environment.Change{Wake: wakeEnvironment(fmt.Sprintf("e%d", i))})
		}
		for range 200 {
			<-done
		}
		<-time.After(time.Second) // what River does once at the start
		const watched = 10 * time.Second
		cpu := processTime(b)
		<-time.After(watched)
		b.ReportMetric(100*float64(processTime(b)-cpu)/float64(watched), "cpu-%")
		stop()
	}
}

func openQuiet(b *testing.B, url string) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), store.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// processTime is the CPU time this process has used.
func processTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Skip(os.NewSyscallError("getrusage", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
