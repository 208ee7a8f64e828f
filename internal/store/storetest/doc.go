// Package storetest gives tests of other packages a real store on SQLite. It
// is for tests only.
package storetest
