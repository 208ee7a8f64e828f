package csi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// Name is the driver's name, the one of GKE's driver.
const Name = "pd.csi.storage.gke.io"

// zoneKey is the topology by which disks and nodes find each other.
const zoneKey = "topology.gke.io/zone"

// Config is what a Driver needs.
type Config struct {
	Node, Zone string
	Disks      string // directory with the disks' contents
	KubeletDir string
	Log        *slog.Logger
}

// Driver is the disk driver of one node.
type Driver struct {
	Config
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer
}

// New prepares a driver; nothing listens until Run.
func New(cfg Config) *Driver { return &Driver{Config: cfg} }

func (d *Driver) socket() string { return filepath.Join(d.KubeletDir, "plugins", Name, "csi.sock") }

// Run serves the kubelet until ctx is done. It fails when it cannot listen.
func (d *Driver) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return listen(ctx, d.socket(), func(server *grpc.Server) {
			csi.RegisterIdentityServer(server, d)
			csi.RegisterNodeServer(server, d)
		})
	})
	group.Go(func() error {
		return listen(ctx, filepath.Join(d.KubeletDir, "plugins_registry", Name+"-reg.sock"), func(server *grpc.Server) {
			registration.RegisterRegistrationServer(server, d)
		})
	})
	return group.Wait()
}

// listen serves on a socket until ctx is done.
func listen(ctx context.Context, path string, register func(*grpc.Server)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	// A node that lost its power has left its sockets.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listen for the kubelet: %w", err)
	}
	server := grpc.NewServer()
	register(server)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	return server.Serve(listener)
}

// GetInfo tells the kubelet where the driver answers.
func (d *Driver) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: Name, Endpoint: d.socket(), SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus logs what the kubelet thinks of the driver.
func (d *Driver) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !status.PluginRegistered {
		d.Log.Warn("kubelet refuses the disk driver", "error", status.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// GetPluginInfo implements csi.IdentityServer.
func (d *Driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: Name, VendorVersion: "sandbox"}, nil
}

// Probe implements csi.IdentityServer: a driver that answers is ready.
func (d *Driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

// NodeGetInfo implements csi.NodeServer.
func (d *Driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId: d.Node, MaxVolumesPerNode: 127,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{zoneKey: d.Zone}},
	}, nil
}

// NodeGetCapabilities implements csi.NodeServer: disks need no staging.
func (d *Driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}
