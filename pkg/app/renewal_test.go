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
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/renewal"
)

const (
	// namesPerCall is the number of new field names in a call of a webhook, nameLength
	// their length.
	namesPerCall = 100
	nameLength   = 4000
	// calls is how many calls have more names than CUE's tables may hold.
	calls = renewal.MaxBytes/(namesPerCall*nameLength) + 10
)

// countingTrigger is a trigger that has CUE evaluate a loop over the fields of a call, and
// counts the calls in the revision of the Application web.
const countingTrigger = `
  - name: called
    source: {type: webhook, properties: {%s auth: none}}
    filter: list.Sum([for k, v in context.data.body.labels if k != "" {v}]) > 0
    action: {type: bump-application-revision, properties: {namespace: %s, nameSelector: {name: web}}}
`

// TestRun_Renewed calls a webhook with new field names until its process is replaced.
// Each call is handled once.
func TestRun_Renewed(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	o := e.options(t, "triggers:"+fmt.Sprintf(countingTrigger, "path: /called,", e.namespace))
	e.callUntilRenewed(t, o, "/called")
}

// TestWorker_Renewed does the same with the worker of a TriggerService.
func TestWorker_Renewed(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createApplication(t, "web")
	e.createCheckedService(t, "hooks", "\ntriggers:"+fmt.Sprintf(countingTrigger, "", e.namespace))
	e.callUntilRenewed(t, e.serviceOptions("hooks"), "/"+e.namespace+"/called")
}

func (e env) callUntilRenewed(t *testing.T, o RunOptions, path string) {
	t.Helper()
	o.WebhookAddr = "127.0.0.1:0"
	cmd, p := startProcess(t, o)
	t.Cleanup(func() { endProcess(t, cmd, p) })
	p.waitForLog(t, "webhook accepts requests")
	for i := range calls {
		e.callWithNames(t, p, path, i)
	}
	p.waitForLog(t, "CUE's tables of field names are full: the process is replaced when running actions have finished")
	eventually(t, "the new process", func() bool { return len(p.waitForLog(t, "webhook accepts requests")) == 2 })
	e.callWithNames(t, p, path, calls)
	want := strconv.Itoa(calls + 1)
	eventually(t, want+" revisions", func() bool { return e.publishVersion(t, "web") == want })
}

// callWithNames repeats a call until it is accepted, as senders of webhooks do.
func (e env) callWithNames(t *testing.T, p *process, path string, call int) {
	t.Helper()
	var body strings.Builder
	body.WriteString(`{"labels":{"x":1`)
	for i := range namesPerCall {
		fmt.Fprintf(&body, `,"%0*d-%04d-%06d":1`, nameLength, 0, call, i)
	}
	body.WriteString("}}")
	eventually(t, "acceptance of the call", func() bool {
		servers := p.waitForLog(t, "webhook server listens")
		url := fmt.Sprintf("http://%s%s", servers[len(servers)-1]["address"], path)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body.String()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Delivery-Id", strconv.Itoa(call))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusAccepted || res.StatusCode == http.StatusOK
	})
}

// endProcess kills a process, and logs what it has logged if the test has failed.
func endProcess(t *testing.T, cmd *exec.Cmd, p *process) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if t.Failed() {
		for _, l := range p.linesWhere(func(map[string]any) bool { return true }) {
			t.Log(l)
		}
	}
}
