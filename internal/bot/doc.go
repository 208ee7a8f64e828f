// Package bot is Slack, in and out. In: slash commands, interactions and
// events, over HTTP or Socket Mode, become commands of environment.Service; a
// delivery is answered once its intent is committed. Out: Notifier tells owners
// how their environments are, each thing once.
//
// It serves the workspace of the configured token and those that installed the
// app from a browser, whose tokens the store keeps sealed; each person is
// talked to in the workspace of their account.
//
// It decides nothing: who may do what is environment.Authorize's business, and
// Slack being slow or down delays messages, never work. It is the only importer
// of the Slack library, and all that is said to people is in its render files.
// Reading the outbox is internal/notify's job.
package bot
