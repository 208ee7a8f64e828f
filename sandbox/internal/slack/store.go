package slack

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// record is one line of the journal: the newest state of one thing.
type record struct {
	App       *App       `json:"app,omitempty"`
	Workspace *Workspace `json:"workspace,omitempty"`
	Message   *Message   `json:"message,omitempty"`
	Home      *View      `json:"home,omitempty"`
}

// memory is everything that outlives the process. Modals do not: Slack closes
// them when a person reloads.
type memory struct {
	apps       map[string]*App
	workspaces map[string]*Workspace
	order      []string              // ids of workspaces, oldest first
	messages   map[string][]*Message // by channel, oldest first
	homes      map[string]*View      // by user
	journal    *os.File              // nil keeps nothing
}

// openMemory reads the journal of a directory and writes it anew, one line a
// thing. An empty directory name keeps everything in memory only.
func openMemory(dir string) (*memory, error) {
	m := &memory{
		apps: map[string]*App{}, workspaces: map[string]*Workspace{}, messages: map[string][]*Message{}, homes: map[string]*View{},
	}
	if dir == "" {
		return m, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state of Slack: %w", err)
	}
	name := filepath.Join(dir, "journal.jsonl")
	if err := m.read(name); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := m.rewrite(name); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return m, nil
}

func (m *memory) read(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a last line without its end was cut off by a crash
		}
		if err != nil {
			return err
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		m.apply(r)
	}
}

// apply makes a record what is remembered.
func (m *memory) apply(r record) {
	if r.App != nil {
		m.apps[r.App.ID] = r.App
	}
	if r.Workspace != nil {
		if _, known := m.workspaces[r.Workspace.ID]; !known {
			m.order = append(m.order, r.Workspace.ID)
		}
		m.workspaces[r.Workspace.ID] = r.Workspace
	}
	if r.Home != nil {
		m.homes[r.Home.User] = r.Home
	}
	if r.Message == nil {
		return
	}
	all := m.messages[r.Message.Channel]
	for i := len(all) - 1; i >= 0; i-- { // edits mostly concern the newest
		if all[i].TS == r.Message.TS {
			all[i] = r.Message
			return
		}
	}
	m.messages[r.Message.Channel] = append(all, r.Message)
}

// rewrite replaces the journal by one line a thing and leaves it open.
func (m *memory) rewrite(name string) error {
	next, err := os.OpenFile(name+".next", os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	m.journal = next
	for _, a := range m.apps {
		err = errors.Join(err, m.keep(record{App: a}))
	}
	for _, id := range m.order {
		err = errors.Join(err, m.keep(record{Workspace: m.workspaces[id]}))
	}
	for _, all := range m.messages {
		for _, message := range all {
			err = errors.Join(err, m.keep(record{Message: message}))
		}
	}
	for _, home := range m.homes {
		err = errors.Join(err, m.keep(record{Home: home}))
	}
	return errors.Join(err, os.Rename(name+".next", name))
}

// keep applies a record and writes it down in one write, so that a killed
// process leaves whole lines and at most one part of one.
func (m *memory) keep(r record) error {
	m.apply(r)
	if m.journal == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = m.journal.Write(append(line, '\n'))
	return err
}
