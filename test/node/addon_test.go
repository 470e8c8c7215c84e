//go:build kubevela && linux

package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// addon is the Application that KubeVela makes of the addon.
var addon = types.NamespacedName{Namespace: vela.Namespace, Name: "addon-kube-trigger"}

// enable enables the addon, with the image, and waits until it is healthy: then its
// pods are ready.
func (b env) enable(t *testing.T, parameters ...string) {
	t.Helper()
	b.Vela(t, append([]string{
		"addon", "enable", "../../addon", "image=" + imageName, "version=" + imageTag,
	}, parameters...)...)
	cluster.Eventually(t, "the addon is healthy", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := b.Client.Get(ctx, addon, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		seen, _, _ := unstructured.NestedInt64(app.Object, "status", "observedGeneration")
		if phase != "running" || seen != app.GetGeneration() {
			return fmt.Errorf("%s, generation %d of %d: %v", phase, seen, app.GetGeneration(), app.Object["status"])
		}
		return nil
	})
	if out := b.Vela(t, "addon", "status", "kube-trigger"); !strings.Contains(out, "kube-trigger: enabled") {
		t.Errorf("vela addon status says:\n%s", out)
	}
}

// disable disables the addon, and waits until KubeVela has done so: enabled before
// that, it would be gone a moment later.
func (b env) disable(t *testing.T) {
	t.Helper()
	b.Vela(t, "addon", "disable", "kube-trigger")
	cluster.Eventually(t, "the addon is gone", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		err := b.Client.Get(ctx, addon, app)
		if err == nil {
			err = fmt.Errorf("it is still there: %v", app.Object["status"])
		}
		return client.IgnoreNotFound(err)
	})
}

// disabled: enabled with other parameters, the addon has two controllers;
// disabled, it has none, and triggers go on; enabled again, it has one.
func disabled(t *testing.T, b env) {
	ns := b.Namespace(t)
	b.Apply(t, fmt.Sprintf(keeping, ns))
	worker := b.pod(t, ns, "worker")
	b.enable(t, "replicas=2")
	b.controllers(t, 2)
	b.disable(t)
	b.controllers(t, 0)
	made := b.edit(t.Context(), ns, 3)
	if made.err != nil {
		t.Fatal(made.err)
	}
	b.expectKept(t, ns, made.values)
	if now := b.pod(t, ns, "worker"); now.UID != worker.UID || now.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("worker %s is not the one before: %+v", now.Name, now.Status)
	}
	b.enable(t)
	b.controllers(t, 1)
}

// controllers waits until there are so many controllers, and all are ready.
func (b env) controllers(t *testing.T, want int) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%d controllers are ready", want), func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := b.Client.List(ctx, list, client.InNamespace(vela.Namespace), part("controller")); err != nil {
			return err
		}
		if len(list.Items) != want {
			return fmt.Errorf("there are %d", len(list.Items))
		}
		for i := range list.Items {
			if !ready(&list.Items[i]) {
				return fmt.Errorf("the status of %s is %+v", list.Items[i].Name, list.Items[i].Status)
			}
		}
		return nil
	})
}
