package api

import "reflect"

// The Go types that the description names by hand, where an operation answers
// with more than its one usual body.
var (
	problemGoType     = reflect.TypeFor[Problem]()
	environmentGoType = reflect.TypeFor[Environment]()
	eventsGoType      = reflect.TypeFor[List[Event]]()
)
