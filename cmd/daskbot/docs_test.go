package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
)

// TestTheCommandsOfTheDocumentsExist looks each command that a page names up
// where it would be looked up if somebody typed it.
func TestTheCommandsOfTheDocumentsExist(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: got %v, %v; want pages", pattern, found, err)
		}
		files = append(files, found...)
	}
	root, seen := newRoot(client.World{}), 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, typed := range typedIn(string(text)) {
			seen++
			if wrong := unknown(root, strings.Fields(typed)); wrong != "" {
				t.Errorf("%s: there is no %s in daskbot %s", file, wrong, typed)
			}
		}
	}
	if seen < 50 {
		t.Errorf("commands: got %d, want those of all pages", seen)
	}
}

var (
	fenced = regexp.MustCompile("(?ms)^```.*?^```")
	inText = regexp.MustCompile("`daskbot ([^`]+)`")
	aLine  = regexp.MustCompile(`(?m)^(?:\$ )?daskbot ([^#\n]+)`)
)

// typedIn are the commands on a page, without the name of the program: those in
// a sentence, and those that have a line of a block.
func typedIn(page string) (all []string) {
	for _, m := range inText.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		all = append(all, m[1])
	}
	for _, block := range fenced.FindAllString(page, -1) {
		for _, m := range aLine.FindAllStringSubmatch(block, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// unknown is the first word that is neither a command, a flag nor an argument,
// "" when there is none. Of pause|resume each is looked up.
func unknown(at *cobra.Command, words []string) string {
	for _, word := range words {
		if slices.Contains([]string{">", "<", "|", "&&", ";"}, word) {
			return "" // the shell's, or another program's
		}
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			if flag, _, _ = strings.Cut(flag, "="); at.Flag(flag) == nil {
				return word
			}
			continue
		}
		if !at.HasSubCommands() {
			continue // an argument
		}
		var next *cobra.Command
		for name := range strings.SplitSeq(word, "|") {
			if next = child(at, name); next == nil {
				return name
			}
		}
		at = next
	}
	return ""
}

func child(of *cobra.Command, name string) *cobra.Command {
	for _, c := range of.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// TestUnknownCommandsAreFound: what the test above would say.
func TestUnknownCommandsAreFound(t *testing.T) {
	root := newRoot(client.World{})
	for typed, want := range map[string]string{
		"up --wait": "", "reaper pause|resume": "", "logs ID hub": "", "kubeconfig ID > kc --x": "",
		"course add-member": "add-member", "reaper pause|stop": "stop", "up --forever": "--forever",
	} {
		if got := unknown(root, strings.Fields(typed)); got != want {
			t.Errorf("%s: got %q, want %q", typed, got, want)
		}
	}
}
