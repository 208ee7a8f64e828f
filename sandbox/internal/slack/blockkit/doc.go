// Package blockkit checks Block Kit as Slack does when it takes a message or
// a view: types, fields that must be there, and the documented limits. It also
// fills in the block and action ids that an app left out.
//
// It says what is wrong in Slack's words, with a JSON pointer to the place. It
// renders nothing and knows only the blocks that the emulator's page can show.
package blockkit
