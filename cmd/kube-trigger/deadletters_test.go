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
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// execute calls the command in this process and returns its output.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command(name)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// writeStore writes a store file with the dead letters of events of two
// ConfigMaps, and returns their IDs.
func writeStore(t *testing.T, path string) (web, db string) {
	t.Helper()
	s, err := file.Open(t.Context(), path, file.Options{Owner: "/config.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string) string {
		t.Helper()
		id, err := s.DeadLetters().Put(t.Context(), store.DeadLetter{
			Trigger: event.TriggerRef{Namespace: "default", Name: "bump"},
			Event: event.Event{
				Source: "resource-watcher", Type: event.Update, Key: "prod/" + name, ID: name + "@1", Time: time.Now(),
				Data: map[string]any{
					"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "prod"},
					"data": map[string]any{"v": "1"},
				},
			},
			Reason: "TerminalError", Error: "not found", Attempts: 1, FirstAttempt: time.Now(), LastAttempt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	web, db = put("web"), put("db")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return web, db
}

// TestDeadLetters covers the output of each subcommand.
func TestDeadLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	web, db := writeStore(t, path)

	table, err := execute(t, "dead-letters", "list", "--store", path)
	lines := strings.Split(table, "\n")
	if err != nil || len(lines) != 4 ||
		strings.Join(strings.Fields(lines[0]), " ") != "ID TRIGGER TYPE KEY REASON ATTEMPTS AGE REPLAY" ||
		!strings.HasPrefix(lines[1], web+"  default/bump  update  prod/web  TerminalError  1") || !strings.HasPrefix(lines[2], db+"  ") {
		t.Errorf("list:\n%s%v", table, err)
	}
	text, err := execute(t, "dead-letters", "show", web, "--store", path)
	var shown deadLetter
	if err := yaml.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	data, _ := shown.Event.Data["data"].(map[string]any)
	if err != nil || shown.ID != web || shown.Error != "not found" || data["v"] != "1" {
		t.Errorf("show: %s, %v", text, err)
	}
	if _, err := execute(t, "dead-letters", "show", strings.Repeat("0", 32), "--store", path); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("show an unknown ID: %v", err)
	}
	if out, err := execute(t, "dead-letters", "replay", web, "--store", path); err != nil || out != web+" replay requested\n" {
		t.Errorf("replay: %q, %v", out, err)
	}
	if table, err := execute(t, "dl", "show", web, "--store", path, "-o", "table"); err != nil || !strings.HasSuffix(table, "  requested\n") {
		t.Errorf("show after replay:\n%s%v", table, err)
	}
	if out, err := execute(t, "dead-letters", "delete", db, "--store", path); err != nil || out != db+" deleted\n" {
		t.Errorf("delete: %q, %v", out, err)
	}

	// The former name is an alias.
	text, err = execute(t, "failures", "list", "--store", path, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		DeadLetters []deadLetter
		Dropped     int
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.DeadLetters) != 1 || list.DeadLetters[0].ID != web || list.DeadLetters[0].Replay == nil || list.DeadLetters[0].Event.Data != nil || list.Dropped != 0 {
		t.Errorf("list -o json: %s", text)
	}
}
