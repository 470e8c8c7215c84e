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

package trigger_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// TestNames: the derived names are valid and unique for every valid name of a
// TriggerService.
func TestNames(t *testing.T) {
	long := strings.Repeat("a", 253)
	seen := map[string]string{}
	for _, name := range []string{"a", "a.b", "a-b", "a.b.c", "a-b.c", "1", long, long[1:] + "b"} {
		for _, made := range []string{trigger.WorkerName(name), trigger.WebhookServiceName(name)} {
			if reasons := validation.IsDNS1123Subdomain(made); len(reasons) > 0 {
				t.Errorf("%s for %s: %v", made, name, reasons)
			}
			if other, ok := seen[made]; ok && other != name {
				t.Errorf("%s for %s and %s", made, name, other)
			}
			seen[made] = name
		}
		if reasons := validation.IsDNS1035Label(trigger.WebhookServiceName(name)); len(reasons) > 0 {
			t.Errorf("Service %s for %s: %v", trigger.WebhookServiceName(name), name, reasons)
		}
		if reasons := validation.IsValidLabelValue(trigger.Label(name)); len(reasons) > 0 {
			t.Errorf("label %s for %s: %v", trigger.Label(name), name, reasons)
		}
	}
}
