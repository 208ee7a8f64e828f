package compute

import (
	"context"

	"github.com/daskbot/daskbot/internal/environment"
)

// Delete asks for the deletion of one resource by its exact identity. It
// checks no label: the caller names only what an inventory recorded or what
// Leftovers returned. Absent is success. Nil means asked, not gone: Leftovers
// tells. While another resource uses it the error is CodeUnavailable with
// Busy; delete that one first, or ask again later.
func (c *Client) Delete(ctx context.Context, r environment.Resource) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.collection(r)
	if err != nil {
		return err
	}
	err = found.remove(ctx, r)
	if err == nil || isGone(err, r.Name) {
		return nil
	}
	return inUse(err, r)
}
