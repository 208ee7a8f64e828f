// Package config loads daskbot's one YAML file: it decodes it strictly, fills
// in defaults, resolves secrets from the environment or from files, inherits
// and checks profiles, and reports everything that is wrong at once, each
// problem with its place, its value and an example of what would be right.
//
// It talks to nothing but the file system and the process environment, and it
// does not watch the file: a change takes effect at the next start. Config
// implements environment.Catalogue and environment.Given.
package config
