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
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// killedWhileUpdating is scenario 1.
func killedWhileUpdating() scenario {
	return scenario{
		name:  "01-killed-while-updating",
		claim: "`kill -9` at random times under a load of updates: an action for every update, at most 5 % of them twice",
		run: func(t *harness) {
			objects, updates, kills, rate := t.size(50, 500), t.size(300, 5000), t.size(4, 20), t.size(60, 100)
			o, r := t.objects(), t.startRecorder()
			t.forEach(objects, o.create)
			o.reset()
			i := t.install(o.cluster.Kubeconfig, o.config(r, "update"))
			w := i.startWatching()
			k := t.killer(i, w, updates, kills)
			t.atRate(updates, rate, func(n int) error {
				k.maybeKill(n)
				return o.update(t.random.IntN(objects))
			})
			missing := r.waitForReports(t, o.written())
			t.checkMissing(missing, o)
			t.figure("%d kills, %d updates of %d objects, %d lost", kills, updates, objects, len(missing))
			t.checkRepeated(r, updates)
			k.worker.terminate()
		},
	}
}

// killedWhileCreating is scenario 2.
func killedWhileCreating() scenario {
	return scenario{
		name:  "02-killed-while-creating",
		claim: "the same with creates and deletes: an action for the create and the delete of each UID",
		run: func(t *harness) {
			objects, kills, rate := t.size(150, 2500), t.size(4, 20), t.size(60, 100)
			o, r := t.objects(), t.startRecorder()
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create, delete"))
			w := i.startWatching()
			// Objects are deleted in random order after their creation.
			var existing []int
			next := 0
			k := t.killer(i, w, 2*objects, kills)
			t.atRate(2*objects, rate, func(n int) error {
				k.maybeKill(n)
				if next < objects && (len(existing) == 0 || t.random.IntN(2) == 0) {
					existing = append(existing, next)
					next++
					return o.create(next - 1)
				}
				index := t.random.IntN(len(existing))
				name := existing[index]
				existing = slices.Delete(existing, index, index+1)
				return o.delete(name)
			})
			missing := append(r.waitForReports(t, o.written()), r.waitForDeletes(t, o.written())...)
			if len(missing) > 0 {
				t.Errorf("no action for %q", missing)
			}
			t.figure("%d kills, %d UIDs, %d creates and deletes lost", kills, objects, len(missing))
			t.checkRepeated(r, 2*objects)
			k.worker.terminate()
		},
	}
}

// uidOf returns the UID in the ID of an event, or the UID itself.
func uidOf(id string) string {
	uid, _, _ := strings.Cut(id, "@")
	return uid
}

// waitForDeletes waits for the actions of deletes, and returns the event IDs or UIDs of
// the deleted objects without an action.
func (r *recorder) waitForDeletes(t *harness, created []string) []string {
	t.Helper()
	var missing []string
	for deadline := time.Now().Add(waitTimeout); ; time.Sleep(20 * time.Millisecond) {
		deleted := map[string]bool{}
		for _, got := range r.all() {
			if got.Event.Type == "delete" {
				deleted[uidOf(got.Event.ID)] = true
			}
		}
		missing = slices.DeleteFunc(slices.Clone(created), func(id string) bool {
			return deleted[uidOf(id)]
		})
		if len(missing) == 0 || time.Now().After(deadline) {
			return missing
		}
	}
}

// killer kills the workers of an installation at random steps of a load.
type killer struct {
	worker       *worker
	installation *installation
	random       *rand.Rand
	// steps are the steps before which a kill is due, in ascending order.
	steps []int
}

func (t *harness) killer(i *installation, w *worker, steps, kills int) *killer {
	k := &killer{worker: w, installation: i, random: t.random, steps: t.random.Perm(steps)[:kills]}
	slices.Sort(k.steps)
	return k
}

// maybeKill kills the worker if a kill is due at step, and starts another.
func (k *killer) maybeKill(step int) {
	if len(k.steps) == 0 || step != k.steps[0] {
		return
	}
	k.steps = k.steps[1:]
	time.Sleep(time.Duration(k.random.Int64N(int64(20 * time.Millisecond)))) // while the event of the previous step is handled
	k.worker.kill()
	k.worker = k.installation.start()
}

// checkMissing checks that no event is missing.
func (t *harness) checkMissing(missing []string, o *objects) {
	t.Helper()
	if len(missing) == 0 {
		return
	}
	final := slices.DeleteFunc(o.final(), func(id string) bool { return !slices.Contains(missing, id) })
	t.Errorf("no action for %d events, of which %d are the last of their objects: %q", len(missing), len(final), missing)
}

// checkRepeated checks that at most 5 % of n events caused two actions. The number of
// events between two saves depends on the machine: the short form does not check it.
func (t *harness) checkRepeated(r *recorder, n int) {
	t.Helper()
	const limit = 0.05
	fraction := float64(r.repeated()) / float64(n)
	t.figure("%d repeated (%.1f %%)", r.repeated(), 100*fraction)
	if t.long && fraction > limit {
		t.Errorf("got two actions for %.1f %% of the events, want at most %.0f %%", 100*fraction, 100*limit)
	}
}
