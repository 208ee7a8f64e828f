//go:build external_etcd

package main

var etcd func() int
