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

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// writeDenied tests that a policy keeps the controller out of kube-system, and that the status
// says so.
func writeDenied(t *testing.T, i *installation) {
	i.apply(t, bumpTriggers("kube-system", "main", ""))
	i.waitForService(t, "kube-system", "main", func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Reason != v1alpha1.ReasonWriteDenied || !strings.Contains(c.Message, "writes nothing in namespaces named kube-*") {
			return fmt.Errorf("got status %+v, want Ready with reason %s", ts.Status, v1alpha1.ReasonWriteDenied)
		}
		return nil
	})
}
