// Package arch holds no code: its test is the import table of
// docs/ARCHITECTURE.md. A new package fails it until it is listed there, with
// what it may import and which vendor library it is the only home of.
package arch
