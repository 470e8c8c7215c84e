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

// enable enables the addon with the image of the test, and waits until the addon is healthy.
func (e env) enable(t *testing.T, parameters ...string) {
	t.Helper()
	e.Vela(t, append([]string{
		"addon", "enable", "../../addon", "image=" + imageName, "version=" + imageTag,
	}, parameters...)...)
	cluster.Eventually(t, "a healthy addon", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := e.Client.Get(ctx, addon, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		observed, _, _ := unstructured.NestedInt64(app.Object, "status", "observedGeneration")
		if phase != "running" || observed != app.GetGeneration() {
			return fmt.Errorf("got phase %s and observed generation %d, want running and %d: status %v", phase, observed, app.GetGeneration(), app.Object["status"])
		}
		return nil
	})
	const want = "kube-trigger: enabled"
	if out := e.Vela(t, "addon", "status", "kube-trigger"); !strings.Contains(out, want) {
		t.Errorf("output of vela addon status: got\n%s\nwant %q", out, want)
	}
}

// disable disables the addon, and waits until its Application is deleted. Until then the
// addon cannot be enabled again: the new one would be deleted, too.
func (e env) disable(t *testing.T) {
	t.Helper()
	e.Vela(t, "addon", "disable", "kube-trigger")
	cluster.Eventually(t, "deletion of the addon", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		err := e.Client.Get(ctx, addon, app)
		if err == nil {
			err = fmt.Errorf("still exists: status %v", app.Object["status"])
		}
		return client.IgnoreNotFound(err)
	})
}

// disableAddon tests that triggers continue to run while the addon is disabled, and that
// the number of controllers is right after each change of the addon.
func disableAddon(t *testing.T, e env) {
	ns := e.Namespace(t)
	e.Apply(t, fmt.Sprintf(collector, ns))
	worker := e.pod(t, ns, "worker")
	e.enable(t, "replicas=2")
	e.waitForControllers(t, 2)
	e.disable(t)
	e.waitForControllers(t, 0)
	result := e.edit(t.Context(), ns, 3)
	if result.err != nil {
		t.Fatal(result.err)
	}
	e.expectValues(t, ns, result.values)
	if got := e.pod(t, ns, "worker"); got.UID != worker.UID || got.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("got worker %s with status %+v, want %s without restarts", got.Name, got.Status, worker.Name)
	}
	e.enable(t)
	e.waitForControllers(t, 1)
}

// waitForControllers waits until exactly want pods of the controller exist, and all are
// ready.
func (e env) waitForControllers(t *testing.T, want int) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%d ready controllers", want), func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := e.Client.List(ctx, list, client.InNamespace(vela.Namespace), componentLabels("controller")); err != nil {
			return err
		}
		if len(list.Items) != want {
			return fmt.Errorf("got %d controllers, want %d", len(list.Items), want)
		}
		for i := range list.Items {
			if !ready(&list.Items[i]) {
				return fmt.Errorf("pod %s is not ready: status %+v", list.Items[i].Name, list.Items[i].Status)
			}
		}
		return nil
	})
}
