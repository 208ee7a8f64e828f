// Package respond is how the emulators that people play with by hand, and their
// control APIs, take and give JSON: bodies are read strictly, and what is
// refused is refused in a sentence. It knows none of the protocols that they
// emulate, whose errors are their own.
package respond
