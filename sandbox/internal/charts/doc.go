// Package charts serves the sandbox's Helm charts as a chart repository: an
// index.yaml and one archive a version, which the real helm can add, search
// and install from. The archives are packaged in memory when it starts and
// have the same bytes every time, so digests and ETags are stable.
//
// It takes no uploads and has no provenance files. The charts themselves are
// in package sandbox/charts.
package charts
