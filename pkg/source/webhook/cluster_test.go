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

package webhook_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
	clusterstore "github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// allowTokenReview lets a service account create TokenReviews.
func allowTokenReview(t *testing.T, c *cluster.Cluster, namespace, name string) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
	if _, err := c.Client(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// serviceAccountToken returns a token of a service account for audiences.
func serviceAccountToken(t *testing.T, c *cluster.Cluster, namespace, name string, audiences ...string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	request, err := c.Client(t).CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// withClientOf gives a worker a client for config.
func withClientOf(t *testing.T, config *rest.Config) option {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func(w *worker) { w.options.Client = c }
}

func TestTokenReviewAuth(t *testing.T) {
	c := cluster.Start(t)
	namespace := c.Namespace(t)
	worker := c.ServiceAccount(t, namespace, "worker")
	for _, name := range []string{"builder", "other"} {
		c.ServiceAccount(t, namespace, name)
	}
	allowTokenReview(t, c, namespace, "worker")
	w := serve(t, "auth: {type: tokenReview, audiences: [kube-trigger, hooks], users: ['system:serviceaccount:"+namespace+":builder']}", withClientOf(t, worker))
	builder := serviceAccountToken(t, c, namespace, "builder", "hooks", "else")
	for _, tc := range []struct {
		name, token string
		want        int
	}{
		{"accepted", builder, http.StatusAccepted},
		{"cached", builder, http.StatusAccepted},
		{"wrong audience", serviceAccountToken(t, c, namespace, "builder", "else"), http.StatusUnauthorized},
		{"API server audience", serviceAccountToken(t, c, namespace, "builder"), http.StatusUnauthorized},
		{"other user", serviceAccountToken(t, c, namespace, "other", "hooks"), http.StatusUnauthorized},
		{"not a token", "x", http.StatusUnauthorized},
		{"changed token", builder[:len(builder)-10] + "AAAAAAAAAA", http.StatusUnauthorized},
	} {
		if status, response := w.send(request{body: `{}`, headers: map[string]string{"Authorization": "Bearer " + tc.token}}); status != tc.want {
			t.Errorf("%s: %d, want %d: %s", tc.name, status, tc.want, response)
		}
	}
	w.waitForEvents(2)
}

// TestReceiver_ClusterStore stores events and deliveries in the API server.
func TestReceiver_ClusterStore(t *testing.T) {
	c := cluster.Start(t)
	crds, err := filepath.Glob("../../../addon/crds/standard.oam.dev_*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Install(t, crds...)
	namespace := c.Namespace(t)
	client := clusterstore.ClientOptions{Config: c.Config}
	leader, err := clusterstore.Elect(t.Context(), clusterstore.ElectionOptions{Client: client, Namespace: namespace, Name: "worker", Identity: "a"})
	if err != nil {
		t.Fatal(err)
	}
	open := func() store.Store {
		s, err := clusterstore.Open(t.Context(), clusterstore.Options{Client: client, Namespace: namespace, Owner: "hooks", Leader: leader})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	triggers := []triggerConfig{{"t", "auth: none"}}
	once := request{body: `{"n":1}`, headers: map[string]string{"X-Delivery-Id": "1"}}
	w := startWorkerWithStore(t, open(), "", triggers, func(w *worker) { w.handle = neverAck })
	w.expectStatus(http.StatusAccepted, once)
	w.kill()
	second := startWorkerWithStore(t, open(), "", triggers)
	second.waitForEvents(1)
	second.expectStatus(http.StatusOK, once)
	second.eventually(func() bool { return queueLength(t, second) == 0 })
	second.shutdown()
	third := startWorkerWithStore(t, open(), "", triggers)
	third.expectStatus(http.StatusOK, once)
	third.waitForEvents(0)
	third.shutdown()
	if err := leader.Close(); err != nil {
		t.Error(err)
	}
}

// TestAuth_Forbidden answers with 503 and logs the missing permission.
func TestAuth_Forbidden(t *testing.T) {
	c := cluster.Start(t)
	namespace := c.Namespace(t)
	worker := c.ServiceAccount(t, namespace, "worker")
	for properties, want := range map[string]string{
		"auth: {type: tokenReview, audiences: [hooks]}": "tokenreviews.authentication.k8s.io is forbidden",
		"auth: {type: bearer, secret: {name: hook}}":    `secrets \"hook\" is forbidden`,
	} {
		w := serve(t, properties, withClientOf(t, worker))
		w.expectStatus(http.StatusServiceUnavailable, request{body: `{}`, headers: map[string]string{"Authorization": "Bearer " + serviceAccountToken(t, c, namespace, "worker", "hooks")}})
		if w.logged(want) == 0 {
			t.Errorf("%s: log %v", properties, w.lines)
		}
	}
}

// TestSecretCache reads the Secret in the trigger's namespace, and again after SecretTTL.
func TestSecretCache(t *testing.T) {
	c := cluster.Start(t)
	namespace := c.Namespace(t)
	secrets := c.Client(t).CoreV1().Secrets(namespace)
	account := c.ServiceAccount(t, namespace, "worker", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"hook"}, Verbs: []string{"get"}})
	clock := testclock.NewFakeClock(time.Now())
	w := serve(t, "{auth: {type: bearer, secret: {name: hook, key: token}}, path: /n/t}", withClientOf(t, account), func(w *worker) {
		w.options.Clock, w.namespace = clock, namespace
	})
	bearer := func(value string) request {
		return request{body: `{}`, headers: map[string]string{"Authorization": "Bearer " + value}}
	}
	w.expectStatus(http.StatusServiceUnavailable, bearer("one"))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, StringData: map[string]string{"token": "one\n"}}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.expectStatus(http.StatusServiceUnavailable, bearer("one"))
	clock.Step(webhook.SecretTTL)
	w.expectStatus(http.StatusAccepted, bearer("one"))
	secret.StringData["token"] = "two"
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.expectStatus(http.StatusAccepted, bearer("one"))
	clock.Step(webhook.SecretTTL)
	w.expectStatus(http.StatusUnauthorized, bearer("one"))
	w.expectStatus(http.StatusAccepted, bearer("two"))
	w.waitForEvents(3)
}
