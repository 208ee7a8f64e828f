package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// scaleMore adds larger sizes, such as "5000".
const scaleMore = "DASKBOT_SCALE_MORE"

// scale brings many environments up at once, on one replica with SQLite and on
// three with PostgreSQL.
func scale(ctx context.Context, s *stage) (results, error) {
	db, err := newPostgres(ctx, s.dir)
	if err != nil {
		return results{}, err
	}
	if err := db.start(ctx); err != nil {
		return results{}, err
	}
	defer func() { _ = db.stop(20 * time.Second) }() // its files go with the stage
	got := results{values: map[string]float64{}}
	sizes := append([]string{"100", "1000"}, strings.Fields(os.Getenv(scaleMore))...)
	for _, n := range sizes {
		lite, err := s.scaled(ctx, n, 1, "")
		if err != nil {
			return got, err
		}
		name := "scale" + n
		if err := db.create(ctx, name); err != nil {
			return got, err
		}
		before, err := db.cpu()
		if err != nil {
			return got, err
		}
		pg, err := s.scaled(ctx, n, 3, db.urlOf(name))
		if err != nil {
			return got, err
		}
		after, err := db.cpu()
		if err != nil {
			return got, err
		}
		lite["database"], pg["database"] = 0, (after - before).Seconds() // SQLite's is in the process's
		got.values["scale."+n+"_sqlite_seconds"], got.values["scale."+n+"_postgres3_seconds"] = lite["seconds"], pg["seconds"]
		got.values["scale.rss_mb_"+n], got.values["scale."+n+"_postgres_server_cpu_seconds"] = lite["rss"], pg["database"]
		for i, m := range []map[string]float64{lite, pg} {
			kind := []string{"SQLite, 1 replica", "PostgreSQL, 3 replicas"}[i]
			got.notes = append(got.notes, fmt.Sprintf("%s environments on %s: asked for in %.1f s, all ready after %.1f s, %.1f s of CPU and %.1f s of the database server's, %.0f MB, %.0f passes, %.0f a second",
				n, kind, m["asked"], m["seconds"], m["cpu"], m["database"], m["rss"], m["passes"], m["passes"]/m["seconds"]))
		}
	}
	return got, nil
}

// scaled runs one size; what it found is in a line of pairs.
func (s *stage) scaled(ctx context.Context, n string, replicas int, store string) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, s.program("daskbot-chaos.test"), "-test.run", "^TestScale$", "-test.v", "-test.timeout", "60m") //nolint:gosec // our own program
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.dir, "DASKBOT_SCALE="+n, "DASKBOT_SCALE_REPLICAS="+strconv.Itoa(replicas), "DASKBOT_SCALE_STORE="+store)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s environments on %d replicas: %w: %s", n, replicas, err, last(out, 2000))
	}
	_, line, _ := strings.Cut(string(out), "scale: ")
	fields := strings.Fields(line)
	found := map[string]float64{}
	for i := 0; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i+1], 64)
		if err != nil {
			break // the rest is for people
		}
		found[fields[i]] = v
	}
	if found["seconds"] == 0 {
		return nil, fmt.Errorf("nothing measured in %q", last(out, 500))
	}
	s.tell("%s", strings.SplitN(line, "\n", 2)[0])
	return found, nil
}

func last(text []byte, n int) string { return string(text[max(0, len(text)-n):]) }

// create makes another database.
func (p *postgres) create(ctx context.Context, name string) error {
	out, err := exec.CommandContext(ctx, filepath.Join(p.bin, "createdb"), "-h", "127.0.0.1", "-p", p.port, "-U", "postgres", name).CombinedOutput() //nolint:gosec // a name of our own
	if err != nil {
		return fmt.Errorf("createdb: %w: %s", err, out)
	}
	return nil
}
