// Package storetest gives tests of other packages a real store on SQLite, and a
// real PostgreSQL where one is installed. It is for tests only.
package storetest
