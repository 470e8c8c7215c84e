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
		claim: "`kill -9` at random moments of a load of updates: every update is acted on, at most 5 % twice",
		run: func(t *trial) {
			objects, updates, kills, rate := t.size(50, 500), t.size(300, 5000), t.size(4, 20), t.size(60, 100)
			o, r := t.objects(), t.record()
			t.forEach(objects, o.create)
			o.reset()
			i := t.install(o.cluster.Kubeconfig, o.config(r, "update"))
			w := i.watching()
			k := t.killer(i, w, updates, kills)
			t.atRate(updates, rate, func(n int) error {
				k.maybeKill(n)
				return o.update(t.random.IntN(objects))
			})
			missing := r.settle(t, o.written())
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
		claim: "the same with creates and deletes: each UID gets its create and its delete",
		run: func(t *trial) {
			objects, kills, rate := t.size(150, 2500), t.size(4, 20), t.size(60, 100)
			o, r := t.objects(), t.record()
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create, delete"))
			w := i.watching()
			// Each is deleted some time after it was created, in another order.
			var there []int
			next := 0
			k := t.killer(i, w, 2*objects, kills)
			t.atRate(2*objects, rate, func(n int) error {
				k.maybeKill(n)
				if next < objects && (len(there) == 0 || t.random.IntN(2) == 0) {
					there = append(there, next)
					next++
					return o.create(next - 1)
				}
				gone := t.random.IntN(len(there))
				name := there[gone]
				there = slices.Delete(there, gone, gone+1)
				return o.delete(name)
			})
			missing := append(r.settle(t, o.written()), r.undeleted(t, o.written())...)
			if len(missing) > 0 {
				t.Errorf("never acted on: %q", missing)
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

// undeleted waits, and returns the events, or UIDs, whose objects are gone
// without an action.
func (r *recorder) undeleted(t *trial, created []string) []string {
	t.Helper()
	var missing []string
	for deadline := time.Now().Add(waitTimeout / 4); ; time.Sleep(20 * time.Millisecond) {
		gone := map[string]bool{}
		for _, got := range r.all() {
			if got.Event.Type == "delete" {
				gone[uidOf(got.Event.ID)] = true
			}
		}
		missing = slices.DeleteFunc(slices.Clone(created), func(id string) bool {
			return gone[uidOf(id)]
		})
		if len(missing) == 0 || time.Now().After(deadline) {
			return missing
		}
	}
}

// killer kills the workers of an installation at random moments of a load.
type killer struct {
	worker       *worker
	installation *installation
	random       *rand.Rand
	moments      []int
}

func (t *trial) killer(i *installation, w *worker, steps, kills int) *killer {
	k := &killer{worker: w, installation: i, random: t.random, moments: t.random.Perm(steps)[:kills]}
	slices.Sort(k.moments)
	return k
}

// maybeKill kills the worker if a kill is due at step, and starts another.
func (k *killer) maybeKill(step int) {
	if len(k.moments) == 0 || step != k.moments[0] {
		return
	}
	k.moments = k.moments[1:]
	time.Sleep(time.Duration(k.random.Int64N(int64(20 * time.Millisecond)))) // into the middle of what follows the last step
	k.worker.kill()
	k.worker = k.installation.start()
}

// checkMissing fails the trial where events, or even the last states, are missing.
func (t *trial) checkMissing(missing []string, o *objects) {
	t.Helper()
	if len(missing) == 0 {
		return
	}
	final := slices.DeleteFunc(o.final(), func(id string) bool { return !slices.Contains(missing, id) })
	t.Errorf("%d events were never acted on, of which %d are the last of their objects: %q", len(missing), len(final), missing)
}

// checkRepeated fails the trial where more than 5 % of n events were acted on
// twice. How much is done between two saves is a matter of the machine: the
// short form, which shares it with others, only counts.
func (t *trial) checkRepeated(r *recorder, n int) {
	t.Helper()
	const limit = 0.05
	part := float64(r.repeated()) / float64(n)
	t.figure("%d repeated (%.1f %%)", r.repeated(), 100*part)
	if t.long && part > limit {
		t.Errorf("%.1f %% of the events were acted on twice, at most %.0f %% may be", 100*part, 100*limit)
	}
}
