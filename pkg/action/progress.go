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

package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// Progress keeps what steps that wait for a condition have done, so that they do not do it again
// after a restart. It is safe for concurrent use.
type Progress interface {
	// Load returns the value of key; nil if there is none.
	Load(ctx context.Context, key string) ([]byte, error)
	// Save stores the value of key until it expires.
	Save(ctx context.Context, key string, data []byte, expires time.Time) error
}

// ErrNotKept is the error of Progress.Save for a value that is too large.
var ErrNotKept = errors.New("the progress is not kept")

// progressGrace is how long the progress of a step is kept after the step has ended at the latest:
// the event may be handled again, if the process ends before it is known to be done.
const progressGrace = time.Hour

// progressRecord is what a step has done for an event.
type progressRecord struct {
	// Version identifies the template and the properties. Those of another version do other
	// calls.
	Version string
	// WaitingSince is when the step began to wait; zero if it does not.
	WaitingSince time.Time
	// Results are those of the calls that have an effect, as in the journal.
	Results map[string]json.RawMessage
	// Streaks are those of the calls.
	Streaks map[string]*provider.Streak `json:",omitempty"`
}

// keepsProgress reports whether the action's progress is stored.
func (r *Action) keepsProgress() bool {
	return r.options.Progress != nil && r.template.step != nil && r.template.waits
}

// progressKey returns the key of the progress of an action with an event. A replay of the event
// begins anew.
func progressKey(ev event.Event, step int32) string {
	return fmt.Sprintf("%s %d", name.Hash(ev.ID+" "+ev.Replay, 32), step)
}

// version identifies the template and the properties.
func (r *Action) version() string {
	return name.Hash(fmt.Sprint(r.template.source, "\x00", string(r.properties)), 16)
}

// loadProgress sets in j what an earlier process has done for ev.
func (r *Action) loadProgress(ctx context.Context, ev event.Event, j *journal) error {
	if !r.keepsProgress() {
		return nil
	}
	key := progressKey(ev, j.step)
	j.save = func(ctx context.Context) error {
		j.unsaved = true
		err := r.saveProgress(ctx, key, j)
		j.unsaved = err != nil
		return err
	}
	data, err := r.options.Progress.Load(ctx, key)
	if err != nil || data == nil {
		return err
	}
	var record progressRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return fmt.Errorf("progress of the action: %w", err)
	}
	if record.Version != r.version() {
		return nil
	}
	j.resumed, j.waitingSince, j.streaks = true, record.WaitingSince, record.Streaks
	for call, text := range record.Results {
		result, err := number.UnmarshalObject(text)
		if err != nil {
			return fmt.Errorf("progress of the action: %w", err)
		}
		j.put(call, result)
		j.keep(call, false)
		j.effects++
	}
	return nil
}

// saveProgress stores j. What is too large is not: after a restart, the step does it again.
func (r *Action) saveProgress(ctx context.Context, key string, j *journal) error {
	_, secrets := redact.Begin(ctx)
	record := progressRecord{Version: r.version(), WaitingSince: j.waitingSince, Results: map[string]json.RawMessage{}, Streaks: j.streaks}
	for call, secret := range j.kept {
		text, err := json.Marshal(r.template.keptResult(j.results[call]))
		if err != nil {
			return fmt.Errorf("save progress: %w", err)
		}
		if secret || secrets.Text(string(text)) != string(text) {
			text = []byte("{}") // values of Secrets are not stored
		}
		record.Results[call] = text
	}
	data, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	err = r.options.Progress.Save(ctx, key, data, time.Now().Add(r.options.WaitLimit+progressGrace))
	if errors.Is(err, ErrNotKept) {
		logr.FromContextOrDiscard(ctx).Info("Progress of an action not saved; after a restart its calls are made again", "reason", err.Error())
		return nil
	}
	return err
}

// keptResult returns what of a result is stored: of an object that was written, what identifies
// it, since it is read again; else the fields that t refers to.
func (t *Template) keptResult(result map[string]any) map[string]any {
	if identity, ok := provider.Identity(result); ok {
		return identity
	}
	returned, ok := result["$returns"].(map[string]any)
	if !ok || t.returns.IsAll() {
		return result
	}
	return map[string]any{"$returns": t.returns.Select(returned)}
}
