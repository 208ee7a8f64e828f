//go:build !external_etcd

package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

var etcd = func() int {
	etcdmain.Main(os.Args) // ends the process itself when it fails
	return 0
}
