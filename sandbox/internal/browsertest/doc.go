// Package browsertest is a person at the emulators' pages, for tests: a headless
// Chromium, and steps that wait for what a page has not drawn yet. It knows no
// page.
package browsertest
