//go:build !external_apiserver

package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

var apiserver = func() int { return cli.Run(app.NewAPIServerCommand()) }
