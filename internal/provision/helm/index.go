package helm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/repo"

	"github.com/daskbot/daskbot/internal/environment"
)

// Upper bounds on what a repository may make us keep.
const (
	maxIndex = 64 << 20
	maxChart = 32 << 20
)

// index is a repository's table of contents as last fetched.
type index struct {
	file *repo.IndexFile
	etag string
	at   time.Time
}

// index returns a repository's table of contents, fetched at most once per TTL
// however many ask at once. While the repository does not answer, the last
// known one serves, also one from before a restart.
func (c *Client) index(ctx context.Context, repository string) (*repo.IndexFile, error) {
	c.mu.Lock()
	known, ok := c.indexes[repository]
	c.mu.Unlock()
	if ok && time.Since(known.at) < c.config.IndexTTL {
		return known.file, nil
	}
	got, err, _ := c.fetches.Do("index "+repository, func() (any, error) {
		// Others wait for this fetch, so the first one's end must not end it;
		// the HTTP client has a timeout.
		fresh, err := c.fetchIndex(context.WithoutCancel(ctx), repository, known)
		if err != nil {
			stale, staleErr := c.staleIndex(repository, known)
			if staleErr != nil {
				return nil, err
			}
			c.config.Log.Warn("chart repository does not answer, using what it said before", "repository", repository, "err", err)
			return stale, nil
		}
		c.mu.Lock()
		c.indexes[repository] = fresh
		c.mu.Unlock()
		return fresh.file, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*repo.IndexFile), nil
}

func (c *Client) fetchIndex(ctx context.Context, repository string, known index) (index, error) {
	url := strings.TrimSuffix(repository, "/") + "/index.yaml"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return index{}, environment.Invalid("repository", "%q is not the address of a Helm repository; write for example https://helm.dask.org.", repository)
	}
	if known.file != nil && known.etag != "" {
		r.Header.Set("If-None-Match", known.etag)
	}
	answer, err := c.config.HTTP.Do(r)
	if err != nil {
		return index{}, noRepository(repository, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotModified && known.file != nil:
		known.at = time.Now()
		return known, nil
	case answer.StatusCode != http.StatusOK:
		return index{}, noRepository(repository, fmt.Errorf("%s: %s", url, answer.Status))
	}
	path := c.indexPath(repository)
	if err := save(path, answer.Body, maxIndex, ""); err != nil {
		return index{}, noRepository(repository, err)
	}
	file, err := repo.LoadIndexFile(path)
	if err != nil {
		return index{}, noRepository(repository, err)
	}
	return index{file: file, etag: answer.Header.Get("ETag"), at: time.Now()}, nil
}

func (c *Client) staleIndex(repository string, known index) (*repo.IndexFile, error) {
	if known.file != nil {
		return known.file, nil
	}
	return repo.LoadIndexFile(c.indexPath(repository))
}

func (c *Client) indexPath(repository string) string {
	return filepath.Join(c.config.CacheDir, "index-"+keyed(repository)+".yaml")
}

func noRepository(repository string, err error) error {
	return &environment.Error{Code: environment.CodeUnavailable, Err: fmt.Errorf("repository %s: %w", repository, err),
		Message: "The place that daskbot gets its charts from does not answer at the moment; daskbot tries again."}
}

// keyed makes a file name out of anything.
func keyed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// save writes a file whole or not at all. With a digest it refuses content of
// another SHA-256.
func save(path string, content io.Reader, limit int64, digest string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // fails once it was renamed, as it should
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(content, limit+1))
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if n > limit {
		return fmt.Errorf("more than %d bytes", limit)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); digest != "" && got != digest {
		return fmt.Errorf("digest is %s; want %s", got, digest)
	}
	return os.Rename(tmp.Name(), path)
}
