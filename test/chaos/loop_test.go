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

	"github.com/kubevela/kube-trigger/pkg/engine"
)

// touchAction patches the object with the given name, by default the event's object,
// and reports to the recorder.
const touchAction = `
import (
	"encoding/json"
	"vela/http"
	"vela/kube"
)

touch: kube.#Patch & {
	$params: {
		resource: {
			apiVersion: "v1"
			kind:       "ConfigMap"
			metadata: {
				name:      parameter.name
				namespace: context.data.metadata.namespace
			}
		}
		patch: {
			type: "merge"
			data: metadata: annotations: touched: context.event.id
		}
	}
}

report: http.#HTTPDo & {
	$params: {
		method: "POST"
		url:    parameter.url
		request: body: json.Marshal({
			trigger: context.trigger.name
			event:   context.event
			key:     context.data.metadata.name
		})
	}
}

parameter: {
	url:  string
	name: *context.data.metadata.name | string
}
`

// selfTrigger is scenario 13.
func selfTrigger() scenario {
	return scenario{
		name:  "13-self-trigger",
		claim: "a trigger that patches the objects it watches: own writes are suppressed; two triggers that start each other: the loop is broken and reported",
		run: func(t *harness) {
			const objects = 10
			rounds := t.size(2, 20)
			o, r := t.objects(), t.startRecorder()
			t.forEach(objects+2, o.create)
			watch := func(name, filter, target string) string {
				return fmt.Sprintf(`
  - name: %s
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}
    filter: %s
    action: {type: touch, properties: {url: %q%s}}
`, name, o.namespace, filter, r.URL, target)
			}
			left, right := object(objects), object(objects+1)
			i := t.install(o.cluster.Kubeconfig, "triggers:"+
				watch("self", fmt.Sprintf("context.data.metadata.name < %q", left), "")+
				watch("left", fmt.Sprintf("context.data.metadata.name == %q", left), ", name: "+right)+
				watch("right", fmt.Sprintf("context.data.metadata.name == %q", right), ", name: "+left))
			i.write("actions/touch.cue", touchAction)
			w := i.startWatching()
			o.reset()
			for range rounds {
				t.forEach(objects, o.update)
			}
			if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
				t.Errorf("no action for %q", missing)
			}
			own := r.total()
			if own != objects*rounds {
				t.Errorf("got %d actions for %d updates by others", own, objects*rounds)
			}
			t.waitFor("suppressed own writes", func() bool { return w.suppressed("self", "OwnWrite") >= own })
			t.figure("%d updates by others, %d actions, %d own writes suppressed", objects*rounds, own, w.suppressed("self", "OwnWrite"))

			if err := o.update(objects); err != nil {
				t.Fatal(err)
			}
			broken := func() int {
				return int(sum(w.scrape(), "kube_trigger_events_total", `reason="LoopBroken"`))
			}
			t.waitFor("a broken loop", func() bool { return broken() > 0 })
			o.reset()
			t.forEach(objects, o.update)
			if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
				t.Errorf("after the loop was broken: no action for %q", missing)
			}
			looped := r.total() - own - objects
			if limit := 2 * (engine.LoopLimit + 1); looped > limit {
				t.Errorf("got %d actions of two triggers that start each other, want at most %d", looped, limit)
			}
			if !strings.Contains(w.output(), `"reason":"LoopBroken"`) {
				t.Error("the log does not contain reason LoopBroken")
			}
			t.figure("two triggers that start each other are stopped after %d actions", looped)
			w.terminate()
		},
	}
}
