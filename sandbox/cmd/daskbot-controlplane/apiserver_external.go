//go:build external_apiserver

package main

var apiserver func() int
