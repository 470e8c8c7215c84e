/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Command handwritten is a client-go program with the behavior of
// examples/bump-application: an informer for ConfigMaps, a work queue, and four workers that
// get and patch Applications.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

const (
	label   = "trigger.oam.dev/application"
	version = "app.oam.dev/publishVersion"
	workers = 4
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	namespace := flag.String("namespace", "", "namespace of the watched ConfigMaps; all namespaces if empty")
	url := flag.String("post", "", "post Events to this URL, instead")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *namespace, *url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, namespace, url string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if url != "" {
		return export(ctx, client, namespace, url)
	}
	applications, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	b := bumper{
		applications: applications.Resource(schema.GroupVersionResource{Group: "core.oam.dev", Version: "v1beta1", Resource: "applications"}),
		queue:        workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[types.NamespacedName]()),
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().ConfigMaps().Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: b.onUpdate}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return errors.New("wait for the sync of ConfigMaps: canceled")
	}
	fmt.Fprintln(os.Stderr, "watching")
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for b.work(ctx) {
			}
		})
	}
	<-ctx.Done()
	b.queue.ShutDown()
	running.Wait()
	factory.Shutdown()
	return nil
}

// bumper increments the publishVersion of the Applications in its queue.
type bumper struct {
	applications dynamic.NamespaceableResourceInterface
	queue        workqueue.TypedRateLimitingInterface[types.NamespacedName]
}

// onUpdate queues the Application of an updated ConfigMap.
func (b bumper) onUpdate(before, after any) {
	oldCM, newCM := before.(*corev1.ConfigMap), after.(*corev1.ConfigMap)
	if app := newCM.Labels[label]; app != "" && oldCM.ResourceVersion != newCM.ResourceVersion {
		b.queue.Add(types.NamespacedName{Namespace: newCM.Namespace, Name: app})
	}
}

// work handles the next Application of the queue. It returns false after a shutdown.
func (b bumper) work(ctx context.Context) bool {
	app, shutdown := b.queue.Get()
	if shutdown {
		return false
	}
	defer b.queue.Done(app)
	if err := b.bump(ctx, app); err != nil {
		fmt.Fprintln(os.Stderr, app, err)
		b.queue.AddRateLimited(app)
		return true
	}
	b.queue.Forget(app)
	return true
}

// bump increments the publishVersion of an Application. A conflict is an error.
func (b bumper) bump(ctx context.Context, app types.NamespacedName) error {
	applications := b.applications.Namespace(app.Namespace)
	current, err := applications.Get(ctx, app.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(current.GetAnnotations()[version])
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q,"annotations":{%q:"%d"}}}`, current.GetResourceVersion(), version, n+1)
	_, err = applications.Patch(ctx, app.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
