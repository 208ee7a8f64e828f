package environment

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure an Error is, and so who can mend it and
// whether trying again can help. The set is closed; the strings are part of
// the REST contract.
type Code string

// The codes of Error.
const (
	CodeInvalid      Code = "invalid"      // the request is wrong; the caller mends it
	CodeUnauthorized Code = "unauthorized" // nobody known is asking
	CodeForbidden    Code = "forbidden"    // the caller, or daskbot in the cloud, may not do this
	CodeNotFound     Code = "not_found"    // there is no such thing, or the caller may not know of it
	CodeConflict     Code = "conflict"     // somebody else changed it; read again and decide again
	CodeQuota        Code = "quota"        // a limit of a person, course or cloud project is reached
	CodeBudget       Code = "budget"       // a limit on money is reached
	CodeUnavailable  Code = "unavailable"  // something daskbot needs does not answer; try again later
	CodeInternal     Code = "internal"     // a fault of daskbot; the log has the details
)

// Error is the one error type that crosses package borders. Message is a full
// sentence for the person who asked; it names no internals. Err is for staff
// and stays in the log.
type Error struct {
	Code    Code
	Message string
	// Field is the request or configuration field at fault, when there is one.
	Field string
	// Busy names a cloud operation that holds the lock; wait for it, then retry.
	Busy string
	// Stockout says that the zone has no machines left: another zone may.
	Stockout bool
	// Ambiguous says that the request may have been carried out although it
	// failed: look before asking again.
	Ambiguous bool
	// RetryAfter is how long the other side asked us to wait; 0 when it did not.
	RetryAfter time.Duration
	Err        error
}

// Error renders the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s (%v)", e.Message, e.Err)
}

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a message for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes the error for a field whose value cannot be used. The message
// must say what is wrong and show a valid example.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first Error in err's chain, CodeInternal for
// any other error, and "" for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return CodeInternal
	}
}

// MessageOf returns the sentence of err that may be shown to a person. An
// error that was not made for people yields a sentence that says so.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return "Something went wrong inside daskbot; the people who run it can find the details in its log."
}

// Retryable reports whether the same request may succeed later without
// anybody mending anything.
func Retryable(err error) bool {
	var e *Error
	if errors.As(err, &e) && e.Busy != "" {
		return true
	}
	switch CodeOf(err) {
	case CodeUnavailable, CodeConflict, CodeInternal:
		return true
	default:
		return false
	}
}
