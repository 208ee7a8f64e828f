//go:build node

package main

import (
	"context"
	"fmt"

	cadvisorapi "github.com/google/cadvisor/lib/model"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/cadvisor"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/configfiles"
	utilfs "k8s.io/kubernetes/pkg/util/filesystem"
)

// size is what a machine type has of CPUs and memory.
type size struct {
	cpus   int
	memory uint64
}

// kubeletCommand is the kubelet, except that it believes to run on a machine
// of the size it is told: a cluster's n1-standard-4 has four CPUs on a laptop
// with two, too.
func kubeletCommand() *cobra.Command {
	var machine size
	flags := options.NewKubeletFlags()
	cmd := &cobra.Command{
		Use: "kubelet", Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return runKubelet(cmd.Context(), flags, machine) },
	}
	own := pflag.NewFlagSet("kubelet", pflag.ContinueOnError)
	flags.AddFlags(own)
	cmd.Flags().AddFlagSet(own)
	cmd.Flags().IntVar(&machine.cpus, "machine-cpus", 0, "CPUs the machine is said to have")
	cmd.Flags().Uint64Var(&machine.memory, "machine-memory", 0, "bytes of memory the machine is said to have")
	return cmd
}

func runKubelet(ctx context.Context, flags *options.KubeletFlags, machine size) error {
	loader, err := configfiles.NewFsLoader(&utilfs.DefaultFs{}, flags.KubeletConfigFile)
	if err != nil {
		return fmt.Errorf("read kubelet configuration: %w", err)
	}
	config, err := loader.Load(ctx)
	if err != nil {
		return fmt.Errorf("read kubelet configuration: %w", err)
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(config.FeatureGates); err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}
	server := &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}
	parts, err := app.UnsecuredDependencies(ctx, server, utilfeature.DefaultFeatureGate)
	if err != nil {
		return fmt.Errorf("prepare kubelet: %w", err)
	}
	real, err := cadvisor.New(klog.FromContext(ctx), cadvisor.NewImageFsInfoProvider(server.ContainerRuntimeEndpoint), server.RootDirectory,
		[]string{cm.NodeAllocatableRoot(server.CgroupRoot, server.CgroupsPerQOS, server.CgroupDriver)},
		cadvisor.UsingLegacyCadvisorStats(server.ContainerRuntimeEndpoint), server.LocalStorageCapacityIsolation, false)
	if err != nil {
		return fmt.Errorf("prepare kubelet: %w", err)
	}
	parts.CAdvisorInterface = sized{Interface: real, size: machine}
	return app.Run(ctx, server, parts, utilfeature.DefaultFeatureGate)
}

// sized reports measurements of the real machine and the size of another.
type sized struct {
	cadvisor.Interface
	size size
}

// MachineInfo is the real machine's, resized.
func (s sized) MachineInfo(logger klog.Logger) (*cadvisorapi.MachineInfo, error) {
	info, err := s.Interface.MachineInfo(logger)
	if err != nil {
		return nil, err
	}
	resized := *info
	if s.size.cpus > 0 {
		resized.NumCores = s.size.cpus
	}
	if s.size.memory > 0 {
		resized.MemoryCapacity = s.size.memory
	}
	return &resized, nil
}
