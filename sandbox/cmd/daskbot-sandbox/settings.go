package main

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// settings are chosen once for a state directory and kept, so that clients
// find the same addresses and secrets after a restart.
type settings struct {
	Token              string `json:"token"`
	Network            string `json:"network"` // first two bytes of the loopback addresses
	GRPCAddr           string `json:"grpcAddr,omitempty"`
	SlackSigningSecret string `json:"slackSigningSecret"`
}

// lockState takes the state directory for this process. The lock goes with
// the process, however it ends.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(f) // a hint: what is missing is left out
		_ = f.Close()
		return nil, fmt.Errorf("another sandbox uses the state directory %s; stop %s, or give this one another --state",
			dir, cmp.Or(strings.TrimSpace(string(holder)), "it"))
	}
	if err := errors.Join(f.Truncate(0), note(f)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return f, nil
}

// note writes into the lock who holds it, for the words above.
func note(f *os.File) error {
	_, err := fmt.Fprintf(f, "process %d\n", os.Getpid())
	return err
}

func settingsFile(dir string) string { return filepath.Join(dir, "sandbox.json") }

// loadSettings reads the settings of a state directory or chooses new ones.
func loadSettings(dir string) (settings, error) {
	var s settings
	data, err := os.ReadFile(settingsFile(dir))
	if err == nil {
		if err := json.Unmarshal(data, &s); err != nil {
			return s, fmt.Errorf("read %s: %w", settingsFile(dir), err)
		}
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("read settings: %w", err)
	}
	network, err := freeNetwork(dir)
	if err != nil {
		return s, err
	}
	s = settings{Token: "sandbox-" + secret(), Network: network, SlackSigningSecret: secret()}
	return s, s.save(dir)
}

// save writes the settings, and the token in a file that gcloud can read.
func (s settings) save(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(s.Token), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	next := settingsFile(dir) + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return os.Rename(next, settingsFile(dir))
}

func secret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// freeNetwork picks the loopback network of a state directory: the one its
// path hashes to, or the next in which no other sandbox has its store.
func freeNetwork(dir string) (string, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(dir)) // never fails
	const first, count = 16, 230
	start := int(h.Sum32() % count)
	for i := range count {
		network := fmt.Sprintf("127.%d", first+(start+i)%count)
		l, err := net.Listen("tcp", network+".0.1:2379")
		if err == nil {
			return network, l.Close()
		}
	}
	return "", errors.New("no loopback network is free: every 127.x.0.1:2379 is taken or this system has no 127.0.0.0/8")
}
