// Command daskbot-controlplane is the sandbox's multi-call Kubernetes binary:
// it becomes the component its first argument names. One binary for all of
// them shares most of its code pages.
//
// With the build tags external_etcd and external_apiserver it leaves out what
// another program provides, such as those in KUBEBUILDER_ASSETS; the API server
// is most of the time a build takes.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/component-base/cli"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// components are the programs this binary can become. A build tag makes an
// entry nil.
var components = map[string]func() int{
	"etcd":                    etcd,
	"kube-apiserver":          apiserver,
	"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: daskbot-controlplane %s [FLAG]...\n", strings.Join(slices.Sorted(maps.Keys(components)), "|"))
		os.Exit(2)
	}
	component := os.Args[1]
	run := components[component]
	if run == nil {
		fmt.Fprintf(os.Stderr, "daskbot-controlplane: this build has no component %q\n", component)
		os.Exit(2)
	}
	os.Args = append([]string{component}, os.Args[2:]...)
	os.Exit(run())
}
