// Package real plays both walkthroughs as a person does, on real pods: through
// daskbot's commands, a browser's requests and a notebook's kernel, to the last
// line, where workers compute. It holds tests only and knows nothing of the
// code. The stories are behind the build tag e2e; what the scripts around them
// promise is tested everywhere.
//
// `make e2e` starts what they need and says where it is: DASKBOT (the program),
// DASKBOT_URL and DASKBOT_STATE for it, SANDBOX (the program) and SANDBOX_URL.
package real
