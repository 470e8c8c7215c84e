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
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/engine"
)

// ownSteps are the workflow steps of scenario 20, by name. The objects that they make have the
// label "step", and the label "event" with the name of the event's object.
func ownSteps() map[string]string {
	return map[string]string{
		// plain makes an object, whose name is that of the session.
		"plain": `import "vela/kube"

plain: {type: "workflow-step"}
template: {
	made: kube.#Apply & {$params: resource: {
		apiVersion: "v1"
		kind:       "ConfigMap"
		metadata: {name: "plain-\(context.stepSessionID)", namespace: context.data.metadata.namespace}
		metadata: labels: {step: "plain", event: context.data.metadata.name}
	}}
	parameter: {}
}
`,
		// outputs makes such an object, and outputs its UID.
		"outputs": `import "vela/kube"

outputs: {type: "workflow-step"}
template: {
	made: kube.#Apply & {$params: resource: {
		apiVersion: "v1"
		kind:       "ConfigMap"
		metadata: {name: "outputs-\(context.stepSessionID)", namespace: context.data.metadata.namespace}
		metadata: labels: {step: "outputs", event: context.data.metadata.name}
	}}
	outputs: uid: made.$returns.metadata.uid
	parameter: {}
}
`,
		// waits makes an object whose name is new in each response to "begin", and waits until
		// the object has the value "done".
		"waits": `import (
	"vela/builtin"
	"vela/http"
	"vela/kube"
)

waits: {type: "workflow-step"}
template: {
	let Event = "event=\(context.data.metadata.name)"
	begin: http.#HTTPPost & {$params: url: "\(parameter.url)/begin?\(Event)"}
	made: kube.#Apply & {$params: resource: {
		apiVersion: "v1"
		kind:       "ConfigMap"
		metadata: {name: "waits-\(begin.$returns.body)", namespace: context.data.metadata.namespace}
		metadata: labels: {step: "waits", event: context.data.metadata.name}
	}}
	told: http.#HTTPPost & {$params: url: "\(parameter.url)/made?\(Event)&value=\(made.$returns.metadata.name)"}
	poll: http.#HTTPGet & {$params: url: "\(parameter.url)/poll?\(Event)&value=\(told.$returns.statusCode)"}
	wait: builtin.#ConditionalWait & {$params: continue: made.$returns.data.done == "true" && poll.$returns.statusCode == 200}
	done: http.#HTTPPost & {$params: url: "\(parameter.url)/done?\(Event)&value=\(made.$returns.data.done)"}
	outputs: {turn: begin.$returns.body, status: done.$returns.statusCode}
	parameter: url: string
}
`,
		// tell sends a value.
		"tell": `import "vela/http"

tell: {type: "workflow-step"}
template: {
	tell: http.#HTTPPost & {$params: url: "\(parameter.url)/\(parameter.path)?event=\(context.data.metadata.name)&value=\(context.results.earlier[parameter.output])"}
	parameter: {url: string, path: string, output: string}
}
`,
	}
}

// killedSteps is scenario 20.
func killedSteps() scenario {
	return scenario{
		name: "20-killed-steps",
		claim: "`kill -9` at random times while own workflow steps run and wait, and when one has waited for its limit: nothing lost, nothing done twice that the step had gone on from, " +
			"each limit counted from the begin of its wait",
		run: func(t *harness) {
			run := t.startStepsRun()
			run.killUntilDone()
			run.worker.terminate()
			run.storeDeadLetters()
			run.check()
		},
	}
}

// stepsRun is a run of scenario 20. Each object has an event for one trigger: events objects for
// each of plain, outputs and waits, and a few for stuck, whose waits do not end.
type stepsRun struct {
	t       *harness
	objects *objects
	server  *stepServer
	install *installation
	worker  *worker

	events, stuck int
	// limit is how long the stuck ones may wait.
	limit time.Duration
	kills []span
}

// of returns the names of the objects whose events are for a trigger.
func (r *stepsRun) of(trigger string) []string {
	first, n := slices.Index([]string{"plain", "outputs", "waits", "stuck"}, trigger)*r.events, r.events
	if trigger == "stuck" {
		n = r.stuck
	}
	var names []string
	for i := range n {
		names = append(names, object(first+i))
	}
	return names
}

// span is the time in which a worker was killed.
type span struct{ from, to time.Time }

func (t *harness) startStepsRun() *stepsRun {
	t.Helper()
	r := &stepsRun{
		t: t, objects: t.objects(), server: t.startStepServer(), events: t.size(20, 200), stuck: t.size(3, 20),
		limit: time.Duration(t.size(4, 180)) * time.Second,
	}
	config := "triggers:"
	for _, trigger := range []struct{ name, actions string }{
		{"plain", `[{type: step/plain}]`},
		{"outputs", `[{name: earlier, type: step/outputs}, {type: step/tell, properties: {url: "SERVER", path: outputs, output: uid}}]`},
		{"waits", `[{name: earlier, type: step/waits, properties: {url: "SERVER"}, timeout: 1h}, {type: step/tell, properties: {url: "SERVER", path: after, output: turn}}]`},
		{"stuck", `[{type: step/waits, properties: {url: "SERVER"}, timeout: LIMIT}]`},
	} {
		names := r.of(trigger.name)
		config += fmt.Sprintf(`
  - name: %s
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [create]}}
    filter: context.data.metadata.name >= %q && context.data.metadata.name <= %q
    actions: `, trigger.name, r.objects.namespace, names[0], names[len(names)-1]) + strings.NewReplacer("SERVER", r.server.URL, "LIMIT", r.limit.String()).Replace(trigger.actions)
	}
	r.install = t.install(r.objects.cluster.Kubeconfig, config)
	for name, step := range ownSteps() {
		r.install.write("actions/"+name+".cue", step)
	}
	r.worker = r.install.startWatching()
	return r
}

// killUntilDone creates the objects, and lets the waits of all but the stuck ones end. It kills
// the worker until the stuck ones have timed out, and a number of times at least: after less than
// the limit each time, and as soon as another wait has timed out.
func (r *stepsRun) killUntilDone() {
	t := r.t
	t.Helper()
	t.forEach(3*r.events+r.stuck, r.objects.create)
	wait := r.release()
	minKills, maxKills := t.size(8, 15), 100
	timedOut := map[string]bool{}
	for len(timedOut) < r.stuck || len(r.kills) < minKills {
		if len(r.kills) == maxKills {
			t.Fatalf("after %d kills, %d of %d waits have timed out", maxKills, len(timedOut), r.stuck)
		}
		// An evaluation that is killed twice in a row counts as one that crashes the process, and
		// its trigger is quarantined: each second worker is killed between evaluations.
		between := len(r.kills)%2 == 1
		if between {
			r.settle(timedOut)
		}
		life := r.limit/12 + time.Duration(t.random.Int64N(int64(r.limit/4)))
		known := len(timedOut)
		for deadline := time.Now().Add(life); len(timedOut) == known && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			r.worker.addTimedOut(timedOut)
		}
		for deadline := time.Now().Add(2 * time.Second); between && !r.server.isQuiet() && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		from := time.Now()
		r.worker.kill()
		r.kills = append(r.kills, span{from, time.Now()})
		r.worker.addTimedOut(timedOut) // those of the last moment
		r.worker = r.install.startWatching()
	}
	wait()
	t.waitFor("the end of all others", func() bool {
		return r.server.count("after") == r.events && r.server.count("outputs") == r.events && len(r.made()["plain"]) == r.events
	})
}

// settle waits until the worker has evaluated each step that waits once.
func (r *stepsRun) settle(timedOut map[string]bool) {
	started := time.Now()
	pending := func(name string) bool {
		polls := r.server.requests("poll", name)
		evaluated := len(polls) > 0 && polls[len(polls)-1].at.After(started)
		return !evaluated && len(r.server.requests("after", name)) == 0 && !timedOut[r.objects.namespace+"/"+name]
	}
	names := slices.Concat(r.of("waits"), r.of("stuck"))
	for deadline := started.Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r.worker.addTimedOut(timedOut); !slices.ContainsFunc(names, pending) {
			return
		}
	}
}

// storeDeadLetters runs workers until the dead letters are stored that the last one, which ended
// at once, has not stored.
func (r *stepsRun) storeDeadLetters() {
	r.t.Helper()
	for range r.stuck {
		stored := len(r.install.deadLetters())
		if stored == r.stuck {
			return
		}
		r.worker = r.install.startWatching()
		r.t.waitFor("the missing dead letters", func() bool {
			timedOut := map[string]bool{}
			r.worker.addTimedOut(timedOut)
			return len(timedOut) >= r.stuck-stored
		})
		r.worker.terminate()
	}
}

// addTimedOut adds to keys those of the events whose wait has timed out.
func (w *worker) addTimedOut(keys map[string]bool) {
	for line := range strings.Lines(w.output()) {
		var entry struct{ Key, Reason string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Reason == engine.ReasonWaitLimit {
			keys[entry.Key] = true
		}
	}
}

// release lets the waits end, each at a random time. wait waits until it has.
func (r *stepsRun) release() (wait func()) {
	var all sync.WaitGroup
	for _, name := range r.of("waits") {
		delay := time.Duration(r.t.random.Int64N(int64(2 * r.limit)))
		all.Go(func() {
			time.Sleep(delay)
			for !r.server.has("poll", name) {
				time.Sleep(20 * time.Millisecond)
			}
			made := r.server.requests("made", name)
			_, err := r.objects.client.Patch(r.t.Context(), made[len(made)-1].value, types.MergePatchType, []byte(`{"data":{"done":"true"}}`), metav1.PatchOptions{})
			if err != nil {
				r.t.Errorf("end the wait of %s: %v", name, err)
			}
		})
	}
	return all.Wait
}

// check compares what the steps did with what they have to do.
func (r *stepsRun) check() {
	t := r.t
	t.Helper()
	made := r.made()
	expectOne := func(step, name string) {
		if len(made[step][name]) != 1 {
			t.Errorf("%s: objects %v of the step %s, want one", name, made[step][name], step)
		}
	}
	for _, name := range r.of("plain") {
		expectOne("plain", name)
	}
	// A later action, which does not wait, may be repeated.
	repeated := 0
	expect := func(path, name, value string) {
		requests := r.server.requests(path, name)
		if len(requests) == 0 {
			t.Errorf("%s: %s is lost", name, path)
		}
		repeated += max(0, len(requests)-1)
		for _, got := range requests {
			if got.value != value {
				t.Errorf("%s: %s: output %s, want %s", name, path, got.value, value)
			}
		}
	}
	for _, name := range r.of("outputs") {
		expectOne("outputs", name)
		expect("outputs", name, strings.Join(made["outputs"][name], ""))
	}
	unstored := 0
	for _, name := range r.of("waits") {
		unstored += r.checkSequence(name, made["waits"][name], "begin", "made", "poll", "done", "after")
		begun := r.server.requests("begin", name)
		expect("after", name, begun[len(begun)-1].value)
	}
	for _, name := range r.of("stuck") {
		unstored += r.checkSequence(name, made["waits"][name], "begin", "made", "poll")
	}
	late := r.checkDeadLetters()
	t.figure("%d kills, %d events of each of the 3 kinds and %d that wait in vain, 0 lost; %d calls repeated by steps that wait, whose results were not stored yet, %d by others; the limit of %s exceeded by %.1f s at most",
		len(r.kills), r.events, r.stuck, unstored, repeated, r.limit, late.Seconds())
}

// checkSequence checks the requests of a step that waits, in their order, and the objects that it
// made. The last request, and the reads, may be repeated; another one, if the worker was killed
// before the step went on. checkSequence returns the number of these.
func (r *stepsRun) checkSequence(name string, objects []string, sequence ...string) (repeated int) {
	t := r.t
	t.Helper()
	for i, path := range sequence {
		requests := r.server.requests(path, name)
		if len(requests) == 0 {
			t.Errorf("%s: %s is lost", name, path)
			return repeated
		}
		if path == "poll" || i == len(sequence)-1 {
			continue
		}
		later := r.server.requests(sequence[i+1], name)
		for _, earlier := range requests[:len(requests)-1] {
			repeated++
			if !r.killedAfter(earlier.at, later) {
				t.Errorf("%s: %s is done again, though the step had gone on when the worker was killed", name, path)
			}
		}
	}
	if begun := len(r.server.requests("begin", name)); len(objects) > begun {
		t.Errorf("%s: %d objects of %d turns", name, len(objects), begun)
	}
	return repeated
}

// killedAfter reports whether the worker was killed after from, and before the step went on with
// one of the later requests.
func (r *stepsRun) killedAfter(from time.Time, later []stepRequest) bool {
	later = slices.DeleteFunc(slices.Clone(later), func(l stepRequest) bool { return l.at.Before(from) })
	return slices.ContainsFunc(r.kills, func(kill span) bool {
		return kill.to.After(from) && (len(later) == 0 || kill.from.Before(later[0].at))
	})
}

// checkDeadLetters checks that each stuck event has become a dead letter, once it had waited for
// the limit. It returns how much longer one waited at most.
func (r *stepsRun) checkDeadLetters() time.Duration {
	t := r.t
	t.Helper()
	var late time.Duration
	names := map[string]bool{}
	for _, l := range r.install.deadLetters() {
		_, name, _ := strings.Cut(l.Event.Key, "/")
		if l.Reason != engine.ReasonWaitLimit || !slices.Contains(r.of("stuck"), name) || names[name] {
			t.Errorf("dead letter of %s: %s: %s", l.Event.Key, l.Reason, l.Error)
			continue
		}
		names[name] = true
		// The wait begins after the first poll.
		waited := l.LastAttempt.Sub(r.server.requests("poll", name)[0].at)
		if waited < r.limit {
			t.Errorf("%s waited for %s, want at least %s", name, waited, r.limit)
		}
		late = max(late, waited-r.limit)
	}
	if len(names) != r.stuck {
		t.Errorf("%d dead letters, want %d", len(names), r.stuck)
	}
	return late
}

// made returns the UIDs of the objects that the steps made, by the name of the step and that of
// the event's object.
func (r *stepsRun) made() map[string]map[string][]string {
	r.t.Helper()
	list, err := r.objects.client.List(r.t.Context(), metav1.ListOptions{LabelSelector: "step"})
	if err != nil {
		r.t.Fatal(err)
	}
	made := map[string]map[string][]string{}
	for _, cm := range list.Items {
		step, name := cm.Labels["step"], cm.Labels["event"]
		if made[step] == nil {
			made[step] = map[string][]string{}
		}
		made[step][name] = append(made[step][name], string(cm.UID))
	}
	return made
}

// stepRequest is a request of a step.
type stepRequest struct {
	value string
	at    time.Time
}

// stepServer records the requests of steps, and responds with their values. It is
// safe for concurrent use.
type stepServer struct {
	URL string

	mu sync.Mutex
	n  int
	// last is the time of the last request.
	last time.Time
	// received has the requests by path and event.
	received map[string]map[string][]stepRequest
}

// startStepServer starts a server, which stops at the end of the test.
func (t *harness) startStepServer() *stepServer {
	t.Helper()
	s := &stepServer{received: map[string]map[string][]stepRequest{}}
	server := httptest.NewServer(s)
	s.URL = server.URL
	t.Cleanup(server.Close)
	return s
}

// ServeHTTP records a request. The value of "begin" is the number of the request.
func (s *stepServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.last = time.Now()
	value := query.Get("value")
	if path == "begin" {
		value = fmt.Sprint(s.n)
	}
	if s.received[path] == nil {
		s.received[path] = map[string][]stepRequest{}
	}
	name := query.Get("event")
	s.received[path][name] = append(s.received[path][name], stepRequest{value, time.Now()})
	_, _ = w.Write([]byte(value))
}

// requests returns the requests with a path for an event, in order.
func (s *stepServer) requests(path, event string) []stepRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received[path][event])
}

// isQuiet reports whether there was no request lately.
func (s *stepServer) isQuiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last) > 100*time.Millisecond
}

func (s *stepServer) has(path, event string) bool { return len(s.requests(path, event)) > 0 }

// count returns the number of events with a request with a path.
func (s *stepServer) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.received[path])
}
