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

import "testing"

// TestInstallation runs its subtests in one cluster, in separate namespaces. Upgrade and
// ControllerAway run last, because they end the controller that the other subtests share.
func TestInstallation(t *testing.T) {
	i := install(t)
	t.Run("Parallel", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *installation){
			"BumpApplication":              bumpApplication,
			"CustomAction":                 customAction,
			"DeletedAccount":               deletedAccount,
			"EditUnderLoad":                editUnderLoad,
			"Failover":                     failover,
			"FailoverTime":                 failoverTime,
			"Fire":                         fires,
			"ForeignServiceAccount":        foreignServiceAccount,
			"ForgedVersion":                forgedVersion,
			"Identities":                   identities,
			"InvalidTrigger":               invalidTrigger,
			"Isolation":                    isolation,
			"KindNotFound":                 kindNotFound,
			"Moves":                        moves,
			"NameConflict":                 nameConflict,
			"OwnActions":                   ownActions,
			"Policies":                     policies,
			"ResourceLimits":               resourceLimits,
			"Rights":                       rights,
			"SchemaValidation":             schemaValidation,
			"SecretRedaction":              secretRedaction,
			"Steps":                        steps,
			"Suspects":                     suspects,
			"ValidatingWebhook":            validatingWebhook,
			"ValidatingWebhookStandby":     validatingWebhookStandby,
			"ValidatingWebhookUnavailable": validatingWebhookUnavailable,
			"ValidatingWebhookWarnings":    validatingWebhookWarnings,
			"VelaQLSource":                 velaqlSource,
			"WebhookSource":                webhookSource,
			"WorkerTemplate":               workerTemplate,
			"WriteDenied":                  writeDenied,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, i)
			})
		}
	})
	t.Run("Explain", func(t *testing.T) { explains(t, i) })
	t.Run("Upgrade", func(t *testing.T) { upgrade(t, i) })
	t.Run("ControllerAway", func(t *testing.T) { controllerAway(t, i) })
}
