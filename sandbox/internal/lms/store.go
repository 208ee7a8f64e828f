package lms

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// memory is everything that outlives the process. It is small and changes
// when a person does something, so it is written whole.
type memory struct {
	file string // "" keeps nothing

	Numbers int       `json:"numbers"` // the last one given out
	People  []*Person `json:"people"`
	Courses []*Course `json:"courses"`
	Tools   []*Tool   `json:"tools"`
	Secrets Secrets   `json:"secrets"`
	Launch  *keyring  `json:"launchKeys"`
	Events  *keyring  `json:"eventKeys"`
}

// openMemory reads the state of a directory. An empty name keeps everything
// in memory only.
func openMemory(dir string) (*memory, error) {
	m := &memory{Numbers: 1000}
	if dir == "" {
		return m, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state of the LMS: %w", err)
	}
	m.file = filepath.Join(dir, "lms.json")
	raw, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, m)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", m.file, err)
	}
	return m, nil
}

// save replaces the file, so that a killed process leaves the old or the new.
func (m *memory) save() error {
	if m.file == "" {
		return nil
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.file+".next", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(m.file+".next", m.file)
}

// number is one that nothing else has.
func (m *memory) number() string {
	m.Numbers++
	return strconv.Itoa(m.Numbers)
}

// person finds somebody by id, number, login or e-mail address.
func (m *memory) person(key string) (*Person, error) {
	for _, p := range m.People {
		if key != "" && slices.Contains([]string{p.ID, p.Number, p.Login, p.Email}, key) {
			return p, nil
		}
	}
	return nil, respond.Missing("there is no person %q", key)
}

// course finds a course by id or number; "" is the first.
func (m *memory) course(key string) (*Course, error) {
	for _, c := range m.Courses {
		if key == "" || c.ID == key || c.Number == key {
			return c, nil
		}
	}
	return nil, respond.Missing("there is no course %q", key)
}

// tool finds a tool by client id; "" is the first.
func (m *memory) tool(key string) (*Tool, error) {
	for _, t := range m.Tools {
		if key == "" || t.ClientID == key {
			return t, nil
		}
	}
	return nil, respond.Missing("there is no tool %q", key)
}
