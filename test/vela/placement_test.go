//go:build kubevela

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

package vela_test

import (
	"strings"
	"testing"
)

// web is a component whose container reads the ConfigMap settings.
const web = `
    - name: web
      type: webservice
      properties:
        image: nginx
        env: [{name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}]
      traits:
        - {type: scaler, properties: {replicas: 0}}
        - type: bump-on-change
`

// placements tests that an edit where a component is placed bumps the Application, which is
// in a namespace of its own: after a deployment to two namespaces, one after the other, and
// with an override.
func placements(t *testing.T, k env) {
	apps, dev, prod := k.Namespace(t), k.Namespace(t), k.Namespace(t)
	k.applySettings(t, dev, "blue", "a")
	k.applySettings(t, prod, "blue", "a")
	k.Apply(t, application(apps, "shop", web+strings.NewReplacer("DEV", dev, "PROD", prod).Replace(`
  policies:
    - {name: dev, type: topology, properties: {clusters: [local], namespace: DEV}}
    - {name: prod, type: topology, properties: {clusters: [local], namespace: PROD}}
    - {name: bigger, type: override, properties: {components: [{name: web, properties: {cpu: "0.2"}}]}}
  workflow:
    steps:
      - {name: dev, type: deploy, properties: {policies: [dev]}}
      - {name: prod, type: deploy, properties: {policies: [bigger, prod]}}
`)))
	k.waitForRevision(t, apps, "shop", 1)
	k.waitForTriggers(t, dev, 1)
	k.waitForTriggers(t, prod, 1)
	k.applySettings(t, prod, "green", "a")
	k.waitForRevision(t, apps, "shop", 2)
	k.applySettings(t, dev, "green", "a")
	k.waitForRevision(t, apps, "shop", 3)
	k.checkPublishVersion(t, apps, "shop", "2")

	k.Vela(t, "delete", "shop", "-n", apps, "-y")
	k.expectRemaining(t, apps, nil, nil)
	k.expectRemaining(t, dev, []string{"settings"}, nil)
	k.expectRemaining(t, prod, []string{"settings"}, nil)
}

// applyComponent tests the same with a step apply-component, and that the right to bump ends
// with the trait.
func applyComponent(t *testing.T, k env) {
	apps, prod := k.Namespace(t), k.Namespace(t)
	k.applySettings(t, prod, "blue", "a")
	const steps = `
  workflow:
    steps: [{name: web, type: apply-component, properties: {component: web, namespace: PROD}}]
`
	app := application(apps, "shop", web+strings.ReplaceAll(steps, "PROD", prod))
	k.Apply(t, app)
	k.waitForRevision(t, apps, "shop", 1)
	k.waitForTriggers(t, prod, 1)
	k.applySettings(t, prod, "green", "a")
	k.waitForRevision(t, apps, "shop", 2)

	k.Apply(t, strings.Replace(app, "        - type: bump-on-change\n", "", 1))
	k.expectRemaining(t, apps, nil, nil)
	k.expectRemaining(t, prod, []string{"settings"}, []string{"web"})
}
