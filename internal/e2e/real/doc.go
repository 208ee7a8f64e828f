// Package real plays both walkthroughs as a person does, on real pods: through
// daskbot's commands, a browser's requests and a notebook's kernel, to the last
// line, where workers compute. It holds tests only, behind the build tag e2e,
// and knows nothing of the code.
//
// `make e2e` starts what they need and says where it is: DASKBOT (the program),
// DASKBOT_URL and DASKBOT_STATE for it, and SANDBOX_URL.
package real
