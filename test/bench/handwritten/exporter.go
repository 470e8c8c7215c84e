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

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// export posts each new Event of a namespace to url, by four workers.
func export(ctx context.Context, client kubernetes.Interface, namespace, url string) error {
	queue := make(chan *eventsv1.Event, 10_000)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Events().V1().Events().Informer()
	handler := cache.ResourceEventHandlerDetailedFuncs{AddFunc: func(o any, initial bool) {
		if e, ok := o.(*eventsv1.Event); ok && !initial {
			queue <- e
		}
	}}
	if _, err := informer.AddEventHandler(handler); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return errors.New("wait for the sync of Events: canceled")
	}
	fmt.Fprintln(os.Stderr, "watching")
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case e := <-queue:
					if err := post(ctx, url, e); err != nil {
						fmt.Fprintln(os.Stderr, e.Name, err)
					}
				}
			}
		})
	}
	running.Wait()
	factory.Shutdown()
	return nil
}

func post(ctx context.Context, url string, e *eventsv1.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
