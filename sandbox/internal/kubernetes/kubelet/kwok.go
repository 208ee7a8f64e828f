package kubelet

import (
	"context"
	"fmt"
	"log/slog"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/clock"
	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/yaml"
)

// StartedAnnotation marks a pod whose containers may start. KWOK's pod-ready
// stage waits for it, so the time a pod takes is decided here and now, and not
// when the stage was written.
const StartedAnnotation = "daskbot.dev/started"

// StartKWOK begins to play nodes and pods and returns; playing ends with ctx.
// The API server must answer. An error means that nothing is played.
func StartKWOK(ctx context.Context, client *rest.Config, log *slog.Logger) error {
	stages, err := stages()
	if err != nil {
		return err
	}
	conf, err := clients(client)
	if err != nil {
		return err
	}
	conf.Clock = clock.RealClock{}
	conf.ManageAllNodes = true
	conf.LocalStages = stages
	conf.CIDR, conf.NodeIP = "10.112.0.0/14", "10.128.0.2"
	conf.PodPlayStageParallelism, conf.NodePlayStageParallelism, conf.PodsOnNodeSyncParallelism = 4, 1, 1
	controller, err := controllers.NewController(conf)
	if err != nil {
		return fmt.Errorf("set up kwok: %w", err)
	}
	ctx = kwoklog.NewContext(ctx, kwoklog.NewLogger(lines{log}, kwoklog.LevelWarn))
	if err := controller.Start(ctx); err != nil {
		return fmt.Errorf("start kwok: %w", err)
	}
	return nil
}

// clients makes the clients KWOK works with. Impersonation is for stages that
// ask for it; ours do not.
func clients(client *rest.Config) (controllers.Config, error) {
	typed, err := kubernetes.NewForConfig(client)
	if err != nil {
		return controllers.Config{}, err
	}
	untyped, err := dynamic.NewForConfig(client)
	if err != nil {
		return controllers.Config{}, err
	}
	found, err := discovery.NewDiscoveryClientForConfig(client)
	if err != nil {
		return controllers.Config{}, err
	}
	return controllers.Config{
		TypedClient: typed, DynamicClient: untyped, RESTClient: typed.RESTClient(),
		RESTMapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found)),
	}, nil
}

// stages are KWOK's own, with pod-ready held back until the pod is marked as
// started.
func stages() (map[internalversion.StageResourceRef][]*internalversion.Stage, error) {
	all := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for _, text := range []string{
		nodestages.DefaultNodeInit, podstages.DefaultPodReady, podstages.DefaultPodComplete, podstages.DefaultPodDelete,
	} {
		var read v1alpha1.Stage
		if err := yaml.UnmarshalStrict([]byte(text), &read); err != nil {
			return nil, fmt.Errorf("read kwok stage: %w", err)
		}
		v1alpha1.SetObjectDefaults_Stage(&read)
		stage, err := internalversion.ConvertToInternalStage(&read)
		if err != nil {
			return nil, fmt.Errorf("read kwok stage: %w", err)
		}
		if stage.Name == "pod-ready" {
			stage.Spec.Selector.MatchExpressions = append(stage.Spec.Selector.MatchExpressions, internalversion.MatchExpression{
				JQ: &internalversion.SelectorJQ{
					Key:      `.metadata.annotations["` + StartedAnnotation + `"]`,
					Operator: internalversion.SelectorOpExists,
				},
			})
		}
		all[stage.Spec.ResourceRef] = append(all[stage.Spec.ResourceRef], stage)
	}
	return all, nil
}

// lines hands what KWOK prints to our log.
type lines struct{ log *slog.Logger }

func (l lines) Write(line []byte) (int, error) {
	l.log.Debug("kwok", "line", string(line))
	return len(line), nil
}
