package charts

import "embed"

// Files holds the charts at their newest version, one folder each, and under
// older/NAME-VERSION the files in which an older version differs.
//
//go:embed all:daskhub all:dask all:dask-kubernetes-operator all:older
var Files embed.FS
