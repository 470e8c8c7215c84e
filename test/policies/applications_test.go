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

package policies

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// applications tests how ServiceAccounts may change Applications.
func (e env) applications(t *testing.T) {
	ns := e.Namespace(t)
	const verbs = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: applications-%s}
rules: [{apiGroups: [core.oam.dev], resources: [applications], verbs: [get, create, %s]%s}]
`
	e.apply(t, fmt.Sprintf(verbs, "update", "update, patch", ""))
	e.apply(t, fmt.Sprintf(verbs, "patch", "patch", ""))
	e.apply(t, fmt.Sprintf(verbs, "named", "patch", ", resourceNames: [web]"))
	for _, g := range []struct{ user, role string }{
		{account(ns, "kube-trigger"), "kube-trigger-default"},
		{account(ns, "trait"), "applications-named"},
		{account(ns, "patcher"), "applications-patch"},
		{account(ns, "gitops"), "applications-update"},
		{"bob", "applications-patch"},
	} {
		e.bind(t, ns, g.user, g.role)
	}
	e.bind(t, "", account("vela-system", "kubevela-vela-core"), "cluster-admin")

	const application = `
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  namespace: NS
  name: web
  labels: {team: a}
  annotations: {app.oam.dev/publishVersion: "1", trigger.oam.dev/bumped-for: 5c1f0e4a7b21, app.oam.dev/username: alice, app.oam.dev/group: "kubevela:team-a", note: a}
  finalizers: [example.com/wait]
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: 7c1b1d5c-52a4-4a0b-8f7c-0d2a5a0d4c11}]
spec: {components: [{name: web, type: webservice, properties: {image: a}}]}`
	const only, identity = "may change only the annotation app.oam.dev/publishVersion", "KubeVela's authentication is on"
	changes := []struct{ name, patch, want string }{
		{"spec", `{"spec":{"components":[]}}`, only + ", not spec"},
		{"label", `{"metadata":{"labels":{"team":"b"}}}`, only + ", not labels"},
		{"no label", `{"metadata":{"labels":{"team":null}}}`, only + ", not labels"},
		{"no labels", `{"metadata":{"labels":null}}`, only + ", not labels"},
		{"finalizers", `{"metadata":{"finalizers":null}}`, only + ", not finalizers"},
		{"owners", `{"metadata":{"ownerReferences":[]}}`, only + ", not ownerReferences"},
		{"annotation", `{"metadata":{"annotations":{"note":"b"}}}`, only + ", not others"},
		{"new annotation", `{"metadata":{"annotations":{"app.oam.dev/service-account-name":"admin"}}}`, only + ", not others"},
		{"no annotation", `{"metadata":{"annotations":{"note":null}}}`, only + ", not others"},
		{"annotation of another action", `{"metadata":{"annotations":{"trigger.oam.dev/scaled-for":"a/b 1"}}}`, only + ", not others"},
		{"similar prefix", `{"metadata":{"annotations":{"trigger.oam.devil/a":"b"}}}`, only + ", not others"},
		{"version and spec", `{"metadata":{"annotations":{"app.oam.dev/publishVersion":"3"}},"spec":{"components":[]}}`, only + ", not spec"},
		{"username", `{"metadata":{"annotations":{"app.oam.dev/username":"admin"}}}`, identity},
		{"no username", `{"metadata":{"annotations":{"app.oam.dev/username":null}}}`, identity},
		{"group", `{"metadata":{"annotations":{"app.oam.dev/group":""}}}`, identity},
		{"version", `{"metadata":{"annotations":{"app.oam.dev/publishVersion":"2"}}}`, ""},
		{"bump", `{"metadata":{"annotations":{"app.oam.dev/publishVersion":"3","trigger.oam.dev/bumped-for":"2fdb6e5e9d3c"}}}`, ""},
		{"causes of bumps", `{"metadata":{"annotations":{"trigger.oam.dev/bumped-for":"2fdb6e5e9d3c 5c1f0e4a7b21"}}}`, ""},
		{"no causes", `{"metadata":{"annotations":{"trigger.oam.dev/bumped-for":null}}}`, ""},
		{"no version", `{"metadata":{"annotations":{"app.oam.dev/publishVersion":null}}}`, ""},
	}
	app := object("core.oam.dev/v1beta1", "Application", ns, "web")
	for _, user := range []string{account(ns, "kube-trigger"), account(ns, "trait"), account(ns, "patcher")} {
		for _, tt := range changes {
			t.Run(user+"/"+tt.name, func(t *testing.T) {
				e.createApplication(t, ns, application)
				c := e.client(t, user)
				expect(t, tt.want, func(ctx context.Context) error { return mergePatch(ctx, c, app, tt.patch) })
			})
		}
	}
	for _, user := range []string{"", "bob", account(ns, "gitops"), account("vela-system", "kubevela-vela-core")} {
		for _, tt := range changes {
			t.Run(user+"/"+tt.name, func(t *testing.T) {
				e.createApplication(t, ns, application)
				c := e.client(t, user)
				expect(t, "", func(ctx context.Context) error { return mergePatch(ctx, c, app, tt.patch) })
			})
		}
	}

	t.Run("bump with the right to update", func(t *testing.T) {
		e.createApplication(t, ns, application)
		c := e.client(t, account(ns, "gitops"))
		expect(t, identity, func(ctx context.Context) error {
			return mergePatch(ctx, c, app, `{"metadata":{"annotations":{"trigger.oam.dev/bumped-for":"2fdb6e5e9d3c","app.oam.dev/username":"gitops"}}}`)
		})
		expect(t, "", func(ctx context.Context) error {
			return mergePatch(ctx, c, app, `{"metadata":{"annotations":{"trigger.oam.dev/bumped-for":"2fdb6e5e9d3c"}},"spec":{"components":[]}}`)
		})
	})
}

// createApplication creates the Application web anew.
func (e env) createApplication(t *testing.T, namespace, text string) {
	t.Helper()
	app := object("core.oam.dev/v1beta1", "Application", namespace, "web")
	err := mergePatch(t.Context(), e.admin, app, `{"metadata":{"finalizers":null}}`)
	if err == nil {
		err = e.admin.Delete(t.Context(), app)
	}
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	e.apply(t, strings.Replace(text, "NS", namespace, 1))
}
