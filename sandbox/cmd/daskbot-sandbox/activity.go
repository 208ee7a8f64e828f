package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/daskbot/daskbot/sandbox/internal/control"
	"github.com/daskbot/daskbot/sandbox/internal/standin"
)

// scripted lets the control API script the stand-ins without knowing their
// types.
type scripted struct{ backends *standin.Backends }

var _ control.Activity = scripted{}

// SetActivity replaces what the hub and scheduler of a cluster report.
func (s scripted) SetActivity(clusterID string, raw json.RawMessage) error {
	var a standin.Activity
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return fmt.Errorf("activity: %w", err)
	}
	return s.backends.SetActivity(clusterID, a)
}

// Activity is what they report now.
func (s scripted) Activity(clusterID string) (json.RawMessage, error) {
	return json.Marshal(s.backends.Activity(clusterID))
}
