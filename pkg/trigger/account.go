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

package trigger

import (
	"cmp"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// WorkerAccount is the ServiceAccount that workers run as. They act as the ServiceAccounts
// of their TriggerServices.
const WorkerAccount = "kube-trigger-worker"

// Account returns the ServiceAccount that the triggers of ts act as.
func Account(ts *v1alpha1.TriggerService) string {
	return cmp.Or(ts.Spec.ServiceAccountName, v1alpha1.DefaultServiceAccount)
}

// UserName returns the name by which the API server knows a ServiceAccount.
func UserName(namespace, account string) string {
	return "system:serviceaccount:" + namespace + ":" + account
}
