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

package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/store"
)

func openDeadLetters(t *testing.T, o StoreOptions) *DeadLetters {
	t.Helper()
	d, err := OpenDeadLetters(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeDeadLetters(t *testing.T, d *DeadLetters) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func listDeadLetters(t *testing.T, o StoreOptions) []store.DeadLetter {
	t.Helper()
	d := openDeadLetters(t, o)
	defer closeDeadLetters(t, d)
	list, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func requestReplay(t *testing.T, o StoreOptions, ids ...string) {
	t.Helper()
	d := openDeadLetters(t, o)
	defer closeDeadLetters(t, d)
	for _, id := range ids {
		if err := d.RequestReplay(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeadLetters lists, replays and deletes dead letters of a file, while a
// process has it open and while none does.
func TestDeadLetters(t *testing.T) {
	e := newEnv(t)
	names := []string{"web", "api", "db"}
	for _, name := range names {
		e.createConfigMap(t, name)
	}
	o := e.options(t, e.triggers())
	// The options of the commands have the store alone.
	so := StoreOptions{Store: o.Store}
	if _, err := OpenDeadLetters(t.Context(), so); err == nil || !strings.Contains(err.Error(), "no store at "+o.Store) {
		t.Errorf("without a store: %v", err)
	}
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	for _, name := range names {
		e.setValue(t, name, "1")
		eventually(t, "the dead letter of "+name, func() bool {
			return strings.Contains(fmt.Sprint(listDeadLetters(t, so)), "/"+name)
		})
	}
	all := listDeadLetters(t, so)
	web, api, db := all[0], all[1], all[2]
	if web.Trigger.String() != "default/bump" || web.Reason != "RetriesExhausted" || web.Attempts != 1 ||
		!strings.Contains(web.Error, `"web" not found`) || web.Event.Key != e.namespace+"/web" || web.Event.Data != nil {
		t.Errorf("got %+v", web)
	}
	d := openDeadLetters(t, so)
	full, err := d.Get(t.Context(), web.ID)
	metadata, _ := full.Event.Data["metadata"].(map[string]any)
	if err != nil || full.Omitted != store.OmittedUnneeded || full.Event.Data["data"] != nil || full.Event.Data["kind"] != "ConfigMap" || metadata["name"] != "web" {
		t.Errorf("got %+v, %v", full, err)
	}
	if _, err := d.Get(t.Context(), strings.Repeat("0", 32)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown ID: %v", err)
	}
	closeDeadLetters(t, d)

	// While the process runs: one replay succeeds, since its data suffices, one fails.
	e.createApplication(t, "web")
	if err := e.configMaps.Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	requestReplay(t, so, web.ID, api.ID)
	p.waitForLog(t, "Action succeeded")
	eventually(t, "the end of the replay", func() bool {
		left := listDeadLetters(t, so)
		return len(left) == 2 && left[0].ID == db.ID && left[1].ID == api.ID && left[1].ReplayRequestedAt.IsZero()
	})
	if version := e.publishVersion(t, "web"); version != "1" {
		t.Errorf("version %q of web", version)
	}
	p.stop(t)

	// While no process runs: the next one replays. By now the trigger needs more than metadata.
	e.createApplication(t, "api")
	if err := os.WriteFile(o.Config, []byte(strings.Replace(e.triggers(), "filter: ", `filter: context.data.data.v == "1" && `, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	requestReplay(t, so, api.ID)
	if left := listDeadLetters(t, so); len(left) != 2 || left[1].ReplayRequestedAt.IsZero() {
		t.Errorf("dead letters %+v", left)
	}
	d = openDeadLetters(t, so)
	if err := d.Delete(t.Context(), db.ID); err != nil {
		t.Error(err)
	}
	closeDeadLetters(t, d)
	p = startRun(t, o)
	p.waitForLog(t, "Action succeeded")
	eventually(t, "no dead letter", func() bool { return len(listDeadLetters(t, so)) == 0 })
	if version := e.publishVersion(t, "api"); version != "1" {
		t.Errorf("version %q of api", version)
	}
	p.stop(t)
}

// TestRun_AdoptStore requires AdoptStore to take over the store of another
// configuration.
func TestRun_AdoptStore(t *testing.T) {
	e := newEnv(t)
	o := e.options(t, e.triggers())
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	p.stop(t)

	other := o
	other.Config = writeConfig(t, e.triggers())
	p = startRun(t, other)
	if err := p.wait(t); err == nil || !strings.Contains(err.Error(), "the store belongs to "+o.Config) || !strings.Contains(err.Error(), "--adopt-store") {
		t.Errorf("another configuration: %v", err)
	}
	other.AdoptStore = true
	p = startRun(t, other)
	p.waitForLog(t, "watching")
	p.stop(t)
}

// TestDeadLetters_TriggerService replays a dead letter of a TriggerService.
func TestDeadLetters_TriggerService(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createCheckedService(t, "notify", e.triggers())
	e.createConfigMap(t, "web")
	o := e.serviceOptions("notify")
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	p.waitForLog(t, "Event dead-lettered")
	eventually(t, "the dead letter", func() bool { return len(listDeadLetters(t, o.StoreOptions)) == 1 })
	l := listDeadLetters(t, o.StoreOptions)[0]
	if l.Trigger.String() != e.namespace+"/bump" || l.Reason != "RetriesExhausted" {
		t.Errorf("got %+v", l)
	}
	e.createApplication(t, "web")
	requestReplay(t, o.StoreOptions, l.ID)
	eventually(t, "the end of the replay", func() bool { return len(listDeadLetters(t, o.StoreOptions)) == 0 })
	if version := e.publishVersion(t, "web"); version != "1" {
		t.Errorf("version %q", version)
	}
	p.stop(t)
}

// TestOpenDeadLetters_Invalid covers options that name no store.
func TestOpenDeadLetters_Invalid(t *testing.T) {
	for name, o := range map[string]StoreOptions{
		"none":      {Store: StoreNone},
		"auto":      {Store: StoreAuto},
		"service":   {Store: StoreAuto, TriggerService: "notify"},
		"exclusive": {Config: filepath.Join(t.TempDir(), "config.yaml"), TriggerService: "team-a/notify"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := OpenDeadLetters(t.Context(), o); !errors.As(err, &InvalidError{}) {
				t.Errorf("got %v", err)
			}
		})
	}
}
