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

package chaos

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// million is scenario 14.
func million() scenario {
	return scenario{
		name: "14-million-events",
		claim: "1,000,000 events through one process, 20 triggers for each update: the heap grows by less than 1 MiB per 100,000 events " +
			"after warm-up, the number of goroutines is constant",
		run: func(t *harness) {
			const objects, triggers, samples, maxGrowth = 500, 20, 10, 20
			events := t.size(4000, 1_000_000)
			o, r := t.objects(), t.startRecorder()
			i := t.install(o.cluster.Kubeconfig, o.manyTriggers(r, triggers))
			t.forEach(objects, o.create)
			w := i.startWatching()
			o.reset()
			var updates atomic.Int64
			var heaps, goroutines []float64
			handled := 0
			for sample := 1; sample <= samples; {
				t.forEach(events/samples/triggers, func(int) error { return o.updateUnrecorded(int(updates.Add(1)) % objects) })
				var metrics map[string]float64
				t.waitFor("an idle worker", func() bool {
					metrics = w.scrape()
					handled = handledOf(metrics)
					return handled >= int(updates.Load())*triggers || sum(metrics, "kube_trigger_queued_events") == 0 && handled >= events*sample/samples
				})
				if handled < events*sample/samples {
					continue // some updates were merged after a compaction
				}
				heaps = append(heaps, metrics["go_memstats_next_gc_bytes"]/2/(1<<20)) // the live heap at the last collection
				goroutines = append(goroutines, w.idleGoroutines())
				sample++
			}
			t.forEach(objects, o.update)
			missing := r.waitForReports(t, o.expectedIDs())
			w.terminate()

			warmUp := samples / 5
			slope := slopeOf(heaps[warmUp:]) / (float64(events) / samples) * 100_000
			t.figure("%d updates, %d events of %d triggers, %d lost, heap %.1f to %.1f MiB, slope %+.2f MiB per 100,000, %.0f to %.0f goroutines",
				updates.Load(), handled, triggers, len(missing), heaps[warmUp], heaps[samples-1], slope, goroutines[warmUp], goroutines[samples-1])
			if len(missing) > 0 {
				t.Errorf("no action for %q", missing)
			}
			if growth := goroutines[samples-1] - goroutines[warmUp]; growth > maxGrowth {
				t.Errorf("the number of goroutines grew by %.0f, want at most %d", growth, maxGrowth)
			}
			if t.long && slope > 1 {
				t.Errorf("heap grows by %.2f MiB per 100,000 events, want at most 1: %.1f MiB", slope, heaps)
			}
		},
	}
}

// manyTriggers returns a configuration of n triggers with one watch and different
// filters. The first one reports one object in a hundred to r.
func (o *objects) manyTriggers(r *recorder, n int) string {
	filters := []string{
		`context.data.metadata.name =~ "00$"`,
		`context.data.metadata.name == "other"`,
		`import "strings"\nstrings.ToUpper(context.data.metadata.name) == "OTHER"`,
		`context: data: metadata: name: =~"^other"`,
		`context.old.data.edit == context.data.data.edit`,
	}
	var b strings.Builder
	b.WriteString("triggers:\n")
	for i := range n {
		filter := filters[i%len(filters)]
		if i > 0 && i%len(filters) == 0 {
			filter = filters[1]
		}
		fmt.Fprintf(&b, `  - name: t%d
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}
    filter: "%s"
    action: {type: record, properties: {url: %q}}
`, i, o.namespace, strings.ReplaceAll(filter, `"`, `\"`), r.URL)
	}
	return b.String()
}

// expectedIDs returns the IDs of the events that match the first trigger.
func (o *objects) expectedIDs() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []string
	for name, id := range o.latest {
		if strings.HasSuffix(name, "00") {
			ids = append(ids, id)
		}
	}
	return ids
}

// updateUnrecorded updates an object without recording the write.
func (o *objects) updateUnrecorded(i int) error {
	o.mu.Lock()
	o.edits++
	patch := fmt.Sprintf(`{"data":{"edit":"%d"}}`, o.edits)
	o.mu.Unlock()
	_, err := o.client.Patch(o.t.Context(), object(i), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// handledOf returns the number of events that triggers have handled.
func handledOf(metrics map[string]float64) int {
	total := 0.0
	for _, outcome := range []string{"suppressed", "filtered", "succeeded", "dead-lettered"} {
		total += sum(metrics, "kube_trigger_events_total", `outcome="`+outcome+`"`)
	}
	return int(total)
}

// slopeOf returns the slope per sample, by least squares.
func slopeOf(samples []float64) float64 {
	var x, y, xx, xy float64
	for i, v := range samples {
		x, y = x+float64(i), y+v
		xx, xy = xx+float64(i*i), xy+float64(i)*v
	}
	n := float64(len(samples))
	return (n*xy - x*y) / (n*xx - x*x)
}

// idleGoroutines returns the number of goroutines once it does not fall any more: workers
// end shortly after their last event is counted.
func (w *worker) idleGoroutines() float64 {
	fewest := w.scrape()["go_goroutines"]
	for range 10 {
		time.Sleep(20 * time.Millisecond)
		n := w.scrape()["go_goroutines"]
		if n >= fewest {
			break
		}
		fewest = n
	}
	return fewest
}
