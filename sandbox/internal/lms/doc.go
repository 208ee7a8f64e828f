// Package lms plays a learning management system: a platform of LTI 1.3 with
// its OpenID Connect endpoints, names and roles, and dynamic registration; the
// notices that Canvas, Moodle and systems with Standard Webhooks send when a
// roster changes; a door for a tool's own webhooks; and a course page on which
// a person is a student, a teacher or the administrator.
//
// It checks what a real platform checks (client, redirect address, hints,
// nonce, assertion) and misbehaves on request, so that tests can play hostile.
// Signatures are real; the keys open this emulator and nothing else.
//
// It does not play grades, deep linking, sessions of its own (who one is rides
// on the login hint), or the rest of any LMS.
//
// Neighbours: cmd/daskbot-sandbox mounts it under /lms.
package lms
