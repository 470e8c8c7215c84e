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

package resource_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// BenchmarkWatch measures the cost of one update of a small ConfigMap, from the bytes
// of the stream to the sink. It includes the cost of sending these bytes.
func BenchmarkWatch(b *testing.B) {
	b.Run("no-store", func(b *testing.B) { benchmarkWatch(b, func(*resource.Options) {}) })
	b.Run("file-store", func(b *testing.B) {
		s, err := file.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), file.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // not tested here
		saver := store.NewBatchSaver(s, store.BatchSaverOptions{
			MaxDelay: 25 * time.Millisecond, BatchSize: 1000, GracePeriod: time.Minute, Clock: clock.RealClock{}, OnError: func(err error) { b.Error(err) },
		})
		ctx, cancel := context.WithCancel(context.Background())
		var saving sync.WaitGroup
		saving.Go(func() {
			if err := saver.Run(ctx); err != nil {
				b.Error(err)
			}
		})
		benchmarkWatch(b, func(o *resource.Options) { o.Checkpoints, o.Saver = s.Checkpoints(), saver })
		cancel()
		saving.Wait()
	})
}

func benchmarkWatch(b *testing.B, opt option) {
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/namespaces/kube-system") {
			fmt.Fprint(out, `{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "kube-system", "uid": "u"}}`)
			return
		}
		if r.URL.Query().Get("watch") == "" {
			fmt.Fprint(out, `{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "1"}, "items": []}`)
			return
		}
		w := bufio.NewWriter(out)
		for i := range b.N {
			fmt.Fprintf(w, `{"type": "MODIFIED", "object": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings", "namespace": "shop",
				"uid": "0b1c2d3e-0000-4000-8000-123456789abc", "resourceVersion": "%d", "creationTimestamp": "2026-01-01T00:00:00Z",
				"labels": {"app.oam.dev/name": "shop", "app.oam.dev/component": "settings"}, "annotations": {"note": "of no concern"},
				"managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
				"fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {".": {}, "f:app.oam.dev/name": {}, "f:app.oam.dev/component": {}}}}}]},
				"data": {"a": "some value", "b": "and another, a little longer, as they are in practice"}}}`+"\n", i+2)
		}
		if err := errors.Join(w.Flush(), http.NewResponseController(out).Flush()); err != nil {
			return // the client is gone
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL, QPS: -1}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	o := resource.Options{
		Client: dynamic.NewForConfigOrDie(config), Metadata: metadata.NewForConfigOrDie(config), Mapper: mapper, Clock: clock.RealClock{},
	}
	opt(&o)
	s, problems := resource.New(o).Compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}, source.Spec{})
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	b.ReportAllocs()
	count := &counter{remaining: b.N, end: cancel}
	if err := s.Open([]source.Subscription{s}).Run(ctx, count); err != nil {
		b.Fatal(err)
	}
	if count.remaining != 0 {
		b.Fatalf("%d events are missing", count.remaining)
	}
}

// counter is a sink that ends a Run after the remaining number of events.
type counter struct {
	remaining int
	end       context.CancelFunc
}

func (c *counter) Deliver(_ context.Context, _ event.Event, d source.Delivery) error {
	d.Done()
	if c.remaining--; c.remaining == 0 {
		c.end()
	}
	return nil
}
