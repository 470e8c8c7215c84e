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

// Command handwritten does what examples/bump-application does, written by hand
// with client-go for this one purpose: an informer on ConfigMaps, a work queue
// and four workers, which read an Application and patch it.
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
	kubeconfig := flag.String("kubeconfig", "", "the kubeconfig file")
	namespace := flag.String("namespace", "", "where to watch ConfigMaps; everywhere by default")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
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
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: b.updated}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return errors.New("the informer does not sync")
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

// bumper raises the version of Applications. The queue holds their names.
type bumper struct {
	applications dynamic.NamespaceableResourceInterface
	queue        workqueue.TypedRateLimitingInterface[types.NamespacedName]
}

func (b bumper) updated(before, now any) {
	was, is := before.(*corev1.ConfigMap), now.(*corev1.ConfigMap)
	if app := is.Labels[label]; app != "" && was.ResourceVersion != is.ResourceVersion {
		b.queue.Add(types.NamespacedName{Namespace: is.Namespace, Name: app})
	}
}

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

func (b bumper) bump(ctx context.Context, app types.NamespacedName) error {
	applications := b.applications.Namespace(app.Namespace)
	is, err := applications.Get(ctx, app.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(is.GetAnnotations()[version])
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q,"annotations":{%q:"%d"}}}`, is.GetResourceVersion(), version, n+1)
	_, err = applications.Patch(ctx, app.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
