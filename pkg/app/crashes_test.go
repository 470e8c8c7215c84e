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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hugeSize is the size of a string that no process can have: Go ends the process.
const hugeSize = "200000000000000"

// watched is the source of triggers for the ConfigMaps of the namespace %[1]s.
const watched = `
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}`

// hugeView is a view of a string of the size data.v of the ConfigMap "object".
const hugeView = `
            import ("strconv", "vela/kube")
            read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "object", namespace: "%[1]s"}}}
            status: [if read.$returns.value.data.v == "small" {"small"}, len("a"*strconv.Atoi(read.$returns.value.data.v))][0]`

// crashes are triggers by the part of them that crashes the process once data.v of the
// ConfigMap "object" is hugeSize.
func crashes() map[string]string {
	return map[string]string{
		"filter": watched + `
    filter: |
      import "strconv"
      context.data.metadata.name == "object" && context.data.data.v != "small" && len("a"*strconv.Atoi(context.data.data.v)) > 0
    action: {type: log}`,
		"action": watched + `
    filter: context.data.metadata.name == "object" && context.data.data.v != "small"
    action: {type: huge}`,
		"view-of-action": watched + `
    filter: context.data.metadata.name == "object" && context.data.data.v != "small"
    action:
      type: run-velaql
      properties:
          template: |` + hugeView,
		"view-of-source": `
    source:
      type: velaql
      properties:
          interval: 1s
          template: |` + hugeView + `
    action: {type: log}`,
	}
}

// crashingTriggers returns the trigger "bad" and a trigger "good" for ConfigMaps.
func (e env) crashingTriggers(part string) string {
	return fmt.Sprintf("triggers:\n  - name: bad"+crashes()[part]+"\n  - name: good"+watched+"\n    action: {type: log}\n", e.namespace)
}

// output passes the lines of a log on to a process, and keeps the others.
type output struct {
	process *process
	pending []byte
	other   bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.pending = append(o.pending, data...)
	for {
		line, rest, ok := bytes.Cut(o.pending, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		to := (&o.other).Write
		if bytes.HasPrefix(line, []byte("{")) {
			to = o.process.Write
		}
		if _, err := to(append(line, '\n')); err != nil {
			return 0, err
		}
		o.pending = rest
	}
}

// startCrashing starts a process that calls Run. crashed waits until it has crashed.
func startCrashing(t *testing.T, o RunOptions) (p *process, crashed func()) {
	t.Helper()
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	p = &process{}
	out := &output{process: p}
	cmd := exec.CommandContext(t.Context(), os.Args[0], childCommand, string(options))
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p, func() {
		t.Helper()
		err := cmd.Wait()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !strings.Contains(out.other.String(), "fatal error: ") {
			t.Fatalf("ended with %v, want a crash: %.1000s", err, out.other.String())
		}
	}
}

// crashTwice has the trigger "bad" crash two processes, and then expects the third one
// to run on.
func (e env) crashTwice(t *testing.T, part string, o RunOptions) {
	t.Helper()
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "other", "first")
	waitForGood(t, p)
	p.stop(t)

	p, crashed := startCrashing(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "object", hugeSize)
	crashed()
	_, crashed = startCrashing(t, o)
	crashed()

	p = startRun(t, o)
	eventually(t, "the quarantine of the trigger", func() bool {
		return len(p.linesWhere(func(l map[string]any) bool {
			ofTrigger := l["msg"] == "Trigger quarantined" && strings.HasSuffix(fmt.Sprint(l["trigger"]), "/bad")
			ofView := l["msg"] == "Source failed" && strings.Contains(fmt.Sprint(l["err"]), "crashed the process twice")
			return ofTrigger || ofView
		})) > 0
	})
	p.waitForLog(t, "watching")
	e.setValue(t, "other", "last")
	waitForGood(t, p)
	p.stop(t)
}

// waitForGood waits for the action of the trigger "good" for the ConfigMap "other".
func waitForGood(t *testing.T, p *process) {
	t.Helper()
	eventually(t, "the action of the other trigger", func() bool {
		return len(p.linesWhere(func(l map[string]any) bool {
			return l["msg"] == "Action succeeded" && strings.HasSuffix(fmt.Sprint(l["trigger"]), "/good") && strings.HasSuffix(fmt.Sprint(l["key"]), "/other")
		})) > 0
	})
}

func (e env) createCrashing(t *testing.T) {
	t.Helper()
	for _, name := range []string{"object", "other"} {
		e.createConfigMap(t, name)
		e.setValue(t, name, "small")
	}
}

// hugeAction is a template of an action that crashes the process.
const hugeAction = `import ("strconv", "vela/builtin")
log: builtin.#Message & {$params: message: "a"*strconv.Atoi(context.data.data.v)}
`

// TestCrash_Config quarantines the trigger that crashes two processes of a
// configuration.
func TestCrash_Config(t *testing.T) {
	for part := range crashes() {
		t.Run(part, func(t *testing.T) {
			e := newEnv(t)
			e.createCrashing(t)
			o := e.options(t, e.crashingTriggers(part))
			o.ActionsDir = writeActions(t, map[string]string{"huge.cue": hugeAction})
			e.crashTwice(t, part, o)
		})
	}
	t.Run("no-store", func(t *testing.T) {
		e := newEnv(t)
		e.createCrashing(t)
		o := e.options(t, e.crashingTriggers("view-of-source"))
		o.Store = StoreNone
		path, err := sharedPath(o.Config + "\x00" + e.Config.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(path) })
		e.crashTwice(t, "view-of-source", o)
	})
}

// TestCrash_Service quarantines the trigger that crashes two workers of a
// TriggerService, without and with a directory for its state.
func TestCrash_Service(t *testing.T) {
	for part, withDir := range map[string]bool{"filter": false, "view-of-action": true, "view-of-source": false} {
		t.Run(part, func(t *testing.T) {
			e := newEnv(t)
			e.installCRDs(t)
			e.createCrashing(t)
			e.createCheckedService(t, "crashing", "\n"+e.crashingTriggers(part))
			o := e.serviceOptions("crashing")
			if withDir {
				o.StateDir = t.TempDir()
			}
			service, err := e.services.Get(t.Context(), "crashing", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			path, err := sharedPath(e.namespace + "\x00crashing\x00" + string(service.GetUID()))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Remove(path) })
			e.crashTwice(t, part, o)
		})
	}
}
