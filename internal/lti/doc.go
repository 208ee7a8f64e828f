// Package lti is daskbot as an LTI 1.3 tool: the link in a course page of a
// learning platform with which a student opens an environment, and an
// instructor the class.
//
// It verifies launches, tells the platform who daskbot is (keys, configuration,
// dynamic registration), shows the pages that follow a launch, and reads
// rosters (Names and Roles). It decides nothing about environments: it finds
// out who has come and gives the commands that anybody else gives.
//
// A login keeps nothing: what must survive until the launch is in the signed
// state, and a browser proves by a cookie, or by the platform's storage, that
// the login was its own. A launch is accepted once, by every replica together.
// After it the browser holds a session: signed, for a few hours, handed back in
// a form or a header and never by a cookie alone where something is changed.
package lti
