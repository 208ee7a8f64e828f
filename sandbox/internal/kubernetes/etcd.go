package kubernetes

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/wait"
)

const etcdCall = 5 * time.Second

// patience is how often something that is starting is asked whether it is
// there: soon at first, then less often.
func patience() wait.Backoff {
	return wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.3, Jitter: 0.1, Steps: 1 << 20, Cap: time.Second}
}

// etcdIP is the address of the shared store; clusters get those after it.
func (p *Planes) etcdIP() string { return p.cfg.Network + ".0.1" }

func (p *Planes) etcdClient() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{fmt.Sprintf("%s:%d", p.etcdIP(), etcdPort)},
		DialTimeout: etcdCall, Logger: zap.NewNop(),
	})
}

// awaitEtcd returns when the store answers, or with ctx's error.
func (p *Planes) awaitEtcd(ctx context.Context) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	defer client.Close()
	return wait.ExponentialBackoffWithContext(ctx, patience(), func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, etcdCall)
		defer cancel()
		_, err := client.Get(ctx, "health")
		return err == nil, nil
	})
}

// forget deletes everything the store holds under a prefix.
func (p *Planes) forget(ctx context.Context, prefix string) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 6*etcdCall)
	defer cancel()
	if _, err := client.Delete(ctx, prefix+"/", clientv3.WithPrefix()); err != nil {
		return fmt.Errorf("delete %s from the store: %w", prefix, err)
	}
	return nil
}

// retry calls f until it succeeds, for as long as a predecessor that was
// killed may need to let go of its addresses. It returns f's last error.
func retry(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, etcdCall)
	defer cancel()
	var last error
	err := wait.ExponentialBackoffWithContext(ctx, patience(), func(context.Context) (bool, error) {
		last = f()
		return last == nil, nil
	})
	if err != nil && last != nil {
		return last
	}
	return err
}
