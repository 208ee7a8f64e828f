package kubernetes

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// forgetting is how long deleting all of a cluster may take.
const forgetting = 30 * time.Second

// etcdIP is the address of the shared store; clusters get those after it.
func (p *Planes) etcdIP() string { return p.cfg.Network + ".0.1" }

func (p *Planes) etcdClient() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{fmt.Sprintf("%s:%d", p.etcdIP(), etcdPort)},
		DialTimeout: look, Logger: zap.NewNop(),
	})
}

// awaitEtcd returns when the store answers, or with ctx's error.
func (p *Planes) awaitEtcd(ctx context.Context) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	defer client.Close()
	return await(ctx, func(ctx context.Context) bool {
		_, err := client.Get(ctx, "health")
		return err == nil
	})
}

// forget deletes everything the store holds under a prefix.
func (p *Planes) forget(ctx context.Context, prefix string) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, forgetting)
	defer cancel()
	if _, err := client.Delete(ctx, prefix+"/", clientv3.WithPrefix()); err != nil {
		return fmt.Errorf("delete %s from the store: %w", prefix, err)
	}
	return nil
}
