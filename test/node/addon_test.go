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

// addon is the name of the addon's Application.
var addon = types.NamespacedName{Namespace: vela.Namespace, Name: "addon-kube-trigger"}

// enable enables the addon with the test's image, and waits until it is healthy.
func (b env) enable(t *testing.T, parameters ...string) {
	t.Helper()
	b.Vela(t, append([]string{
		"addon", "enable", "../../addon", "image=" + imageName, "version=" + imageTag,
	}, parameters...)...)
	cluster.Eventually(t, "a healthy addon", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := b.Client.Get(ctx, addon, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		observed, _, _ := unstructured.NestedInt64(app.Object, "status", "observedGeneration")
		if phase != "running" || observed != app.GetGeneration() {
			return fmt.Errorf("%s, generation %d of %d: %v", phase, observed, app.GetGeneration(), app.Object["status"])
		}
		return nil
	})
	if out := b.Vela(t, "addon", "status", "kube-trigger"); !strings.Contains(out, "kube-trigger: enabled") {
		t.Errorf("vela addon status printed:\n%s", out)
	}
}

// disable disables the addon, and waits until its Application is deleted: an addon that
// is enabled before that is deleted too.
func (b env) disable(t *testing.T) {
	t.Helper()
	b.Vela(t, "addon", "disable", "kube-trigger")
	cluster.Eventually(t, "deletion of the addon", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		err := b.Client.Get(ctx, addon, app)
		if err == nil {
			err = fmt.Errorf("it still exists: %v", app.Object["status"])
		}
		return client.IgnoreNotFound(err)
	})
}

// disableAddon tests the number of controllers when the addon is enabled with other
// parameters, disabled and enabled again, and that triggers continue to run.
func disableAddon(t *testing.T, b env) {
	ns := b.Namespace(t)
	b.Apply(t, fmt.Sprintf(keeping, ns))
	worker := b.pod(t, ns, "worker")
	b.enable(t, "replicas=2")
	b.waitForControllers(t, 2)
	b.disable(t)
	b.waitForControllers(t, 0)
	made := b.edit(t.Context(), ns, 3)
	if made.err != nil {
		t.Fatal(made.err)
	}
	b.expectKept(t, ns, made.values)
	if now := b.pod(t, ns, "worker"); now.UID != worker.UID || now.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the worker was replaced by %s: %+v", now.Name, now.Status)
	}
	b.enable(t)
	b.waitForControllers(t, 1)
}

// waitForControllers waits until there are want controllers, all of them ready.
func (b env) waitForControllers(t *testing.T, want int) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%d ready controllers", want), func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := b.Client.List(ctx, list, client.InNamespace(vela.Namespace), componentLabels("controller")); err != nil {
			return err
		}
		if len(list.Items) != want {
			return fmt.Errorf("got %d controllers", len(list.Items))
		}
		for i := range list.Items {
			if !ready(&list.Items[i]) {
				return fmt.Errorf("the status of %s is %+v", list.Items[i].Name, list.Items[i].Status)
			}
		}
		return nil
	})
}
