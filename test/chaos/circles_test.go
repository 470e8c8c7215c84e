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
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/engine"
)

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// acted returns the number of actions of a trigger that succeeded.
func (w *worker) acted(trigger string) int {
	w.t.Helper()
	return int(sum(w.scrape(), "kube_trigger_events_total", `trigger="default/`+trigger+`"`, `outcome="succeeded"`))
}

// end returns how the circle of a trigger has ended: "ended" or "paused". It is empty while the
// circle goes on.
func end(metrics map[string]float64, trigger string) string {
	label := `trigger="default/` + trigger + `"`
	switch {
	case sum(metrics, "kube_trigger_paused", label) == 1:
		return "paused"
	case sum(metrics, "kube_trigger_events_total", label, `reason="LoopBroken"`)+sum(metrics, "kube_trigger_events_total", label, `reason="OwnWrite"`) > 0:
		return "ended"
	}
	return ""
}

// circles is scenario 18.
func circles() scenario {
	return scenario{
		name:  "18-circles",
		claim: fmt.Sprintf("seven circles of different make, through Kubernetes Events, Jobs that fail, other kinds, two processes, a webhook that calls back, a controller's status, an autoscaler: each ends or pauses within %d actions, and the pauses end with the circles", maxCircle),
		run: func(t *harness) {
			all := []circle{eventCircle(t), jobCircle(t), kindCircle(t), processCircle(t), webhookCircle(t), statusCircle(t), replicasCircle(t)}
			config, another := "triggers:", "triggers:"
			for _, c := range all {
				config += c.trigger
				another += c.another
			}
			start := func(config string) *worker {
				i := t.install(all[0].cluster.Kubeconfig, config, "--webhook-addr", "127.0.0.1:0")
				i.write("actions/make.cue", makeAction)
				i.write("actions/annotate.cue", annotateAction)
				return i.startWatching()
			}
			w, other := start(config), start(another)
			w.waitForLog(`"msg":"webhook server listens"`)
			t.waitFor("all watches", func() bool { return strings.Count(w.output(), `"msg":"watching"`) == len(all)-1 })

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var controllers sync.WaitGroup
			for _, c := range all {
				if c.control != nil {
					controllers.Go(func() { c.control(ctx) })
				}
			}
			for _, c := range all {
				if err := c.begin(ctx, w); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			// A circle of two processes ends or pauses in one of them.
			t.waitFor("the ends and pauses of the circles", func() bool {
				metrics := w.scrape()
				return !slices.ContainsFunc(all, func(c circle) bool { return c.another == "" && end(metrics, c.name) == "" })
			})
			t.waitFor("the circle of two processes", func() bool {
				return other.acted("another") > 0 && (end(w.scrape(), "processes") != "" || end(other.scrape(), "another") != "")
			})
			time.Sleep(time.Duration(t.size(10, 120)) * time.Second) // for actions that should not be
			metrics := w.scrape()
			counts := ""
			for _, c := range all {
				n := w.acted(c.name)
				if n == 0 || n > maxCircle {
					t.Errorf("%s: %d actions", c.name, n)
				}
				counts += fmt.Sprintf(", %s %s after %d", c.name, cmp.Or(end(metrics, c.name), "ended"), n)
			}
			if n := other.acted("another"); n > maxCircle {
				t.Errorf("another: %d actions", n)
			}
			t.figure("%s actions", strings.TrimPrefix(counts, ", "))

			stop()
			controllers.Wait()
			t.waitFor("the end of the pauses", func() bool { return sum(w.scrape(), "kube_trigger_paused") == 0 })
			t.waitFor("the events that waited", func() bool { return sum(w.scrape(), "kube_trigger_queued_events") == 0 })
			w.terminate()
			other.terminate()
		},
	}
}

// handleAction makes an object for the event, and reports it.
const handleAction = `
import (
	"encoding/json"
	"vela/http"
	"vela/kube"
)

handle: kube.#Apply & {$params: resource: {
	apiVersion: "v1"
	kind:       "ConfigMap"
	metadata: {name: "handled-" + context.data.metadata.name, namespace: context.data.metadata.namespace}
}}
report: http.#HTTPDo & {$params: {
	method: "POST"
	url:    parameter.url
	request: body: json.Marshal({trigger: context.trigger.name, event: context.event, key: context.data.metadata.name})
}}
parameter: url: string
`

// alike is scenario 19.
func alike() scenario {
	return scenario{
		name:  "19-alike",
		claim: "5,000 independent Jobs fail at once, and each causes the creation of an object, which looks like a circle: an action for each, at most two minutes after it failed",
		run: func(t *harness) {
			jobs := t.size(400, 5000)
			o, r := t.objects(), t.startRecorder()
			client := o.kube.BatchV1().Jobs(o.namespace)
			all := make([]*batchv1.Job, jobs)
			t.forEach(jobs, func(i int) (err error) {
				all[i], err = client.Create(t.Context(), newJob(object(i)), metav1.CreateOptions{})
				return err
			})
			i := t.install(o.cluster.Kubeconfig, fmt.Sprintf(`triggers:
  - name: failed
    source: %s
    filter: context.data.status.failed > 0
    action: {type: handle, properties: {url: %q}}
`, resourceSource("batch/v1", "Job", o.namespace, "update"), r.URL))
			i.write("actions/handle.cue", handleAction)
			w := i.startWatching()
			failed := make([]time.Time, jobs)
			t.forEach(jobs, func(i int) error {
				failed[i] = time.Now()
				return o.fail(t.Context(), all[i])
			})
			t.waitFor("all actions", func() bool { return r.total() >= jobs })
			var longest time.Duration
			handled := map[string]time.Time{}
			for _, report := range r.all() {
				handled[report.Key] = report.at
			}
			for i, at := range failed {
				done, ok := handled[object(i)]
				if !ok {
					t.Errorf("no action for %s", object(i))
				}
				longest = max(longest, done.Sub(at))
			}
			if t.long && longest > 2*time.Minute {
				t.Errorf("an action came %s after its event", longest)
			}
			pauses := strings.Count(w.output(), engine.ReasonLoopSuspected)
			t.figure("%d Jobs, %d pauses, 0 lost, longest delay %.0f s", jobs, pauses, longest.Seconds())
			w.terminate()
		},
	}
}
