package images

import "embed"

// FS holds the lock files and scripts.
//
//go:embed python/*.lock proxy/package.json proxy/package-lock.json files
var FS embed.FS
