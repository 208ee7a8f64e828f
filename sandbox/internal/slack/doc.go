// Package slack plays Slack: the Web API an app calls, the requests Slack
// sends to an app (signed, or over Socket Mode), and a page on which a person
// types commands, clicks buttons and fills modals as any of several people.
//
// It keeps Slack's rules where an app can run into them: what a token may do,
// how often a method may be called, how large a message may be, how long an
// answer may take, how often and how long a response_url works. Answers of
// methods have the fields that clients read, not every field Slack sends.
//
// It does not play threads, files, reactions, search or Enterprise Grid. Every
// secret here opens this emulator and nothing else.
//
// Neighbours: cmd/daskbot-sandbox mounts it under /slack and scripts its
// faults; package blockkit knows the limits of Block Kit.
package slack
