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
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// retried returns a trigger on updates of the ConfigMap "go" that is retried quickly.
func (e env) retried(action string) string {
	return fmt.Sprintf(`triggers:
  - name: t
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, fieldSelector: metadata.name=go, events: [update]}}
    action: %s
    retry: {limit: 1000, backoff: {initial: 10ms, max: 20ms}}
`, e.namespace, action)
}

// runRetried starts a run of a retried action, and waits until it has failed.
func (e env) runRetried(t *testing.T, o RunOptions, failure string) *process {
	t.Helper()
	e.createConfigMap(t, "go")
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "go", "1")
	eventually(t, failure, func() bool {
		return len(p.linesWhere(func(l map[string]any) bool {
			return l["msg"] == "Action failed" && strings.Contains(fmt.Sprint(l["error"]), failure)
		})) > 1
	})
	return p
}

// wantSuccess wants the action to succeed, without a dead letter before.
func (p *process) wantSuccess(t *testing.T) {
	t.Helper()
	p.waitForLog(t, "Action succeeded")
	if l := p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Event dead-lettered" }); len(l) > 0 {
		t.Errorf("dead-lettered: %v", l)
	}
	p.stop(t)
}

// TestRetry_LaterTarget acts on what is created after the event (argoproj/argo-events#3089).
func TestRetry_LaterTarget(t *testing.T) {
	e := newEnv(t)
	p := e.runRetried(t, e.options(t, e.retried("{type: bump-application-revision, properties: {nameSelector: {name: web}}}")), `"web" not found`)
	e.createApplication(t, "web")
	p.wantSuccess(t)
	if version := e.publishVersion(t, "web"); version != "1" {
		t.Errorf("version %q", version)
	}
}

// TestRetry_Quota creates a Job once others of the quota are gone (tektoncd/pipeline#734,
// kubernetes/kubernetes#88718).
func TestRetry_Quota(t *testing.T) {
	e := newEnv(t)
	client := e.Client(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "jobs"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}},
	}
	quota, err := client.CoreV1().ResourceQuotas(e.namespace).Create(t.Context(), quota, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// No controller counts here: the status is what the quota is compared with.
	setHard := func(n string) {
		t.Helper()
		hard := corev1.ResourceList{"count/jobs.batch": resource.MustParse(n)}
		quota.Spec.Hard = hard
		if quota, err = client.CoreV1().ResourceQuotas(e.namespace).Update(t.Context(), quota, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}}
		if quota, err = client.CoreV1().ResourceQuotas(e.namespace).UpdateStatus(t.Context(), quota, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	setHard("0")
	p := e.runRetried(t, e.options(t, e.retried(fmt.Sprintf("{type: run-job, properties: {namespace: %s, image: busybox}}", e.namespace))), "exceeded quota")
	setHard("1")
	p.wantSuccess(t)
	var jobs *batchv1.JobList
	if jobs, err = client.BatchV1().Jobs(e.namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(jobs.Items) != 1 {
		t.Errorf("jobs %v, %v", jobs, err)
	}
}

// TestRetry_Right patches once the right is given.
func TestRetry_Right(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "seen")
	watch := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}}
	account := e.ServiceAccount(t, e.namespace, "kt", watch)
	p := e.runRetried(t, runOptions(t, e.retried(e.markSeen()), writeKubeconfig(t, account, e.namespace)), "is forbidden")
	roles := e.Client(t).RbacV1().Roles(e.namespace)
	role, err := roles.Get(t.Context(), "kt", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role.Rules[0].Verbs = append(role.Rules[0].Verbs, "patch")
	if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.wantSuccess(t)
}

// markSeen returns an action that patches the ConfigMap "seen".
func (e env) markSeen() string {
	return fmt.Sprintf(`{type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: seen, namespace: %s}, patch: {data: {data: {seen: "yes"}}}}}`, e.namespace)
}

// startRefuser starts a proxy of the API server that answers patches with 401 unless they
// have the token "good".
func (e env) startRefuser(t *testing.T) *httptest.Server {
	t.Helper()
	return e.startProxy(t, func(w http.ResponseWriter, req *http.Request) bool {
		if got := req.Header.Get("Authorization"); req.Method != http.MethodPatch || got == "Bearer good" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Code: http.StatusUnauthorized, Reason: metav1.StatusReasonUnauthorized, Message: "Unauthorized",
		})
		return true
	})
}

// startProxy starts a proxy of the API server. It passes on all requests, with the rights of the
// test, that answer does not answer.
func (e env) startProxy(t *testing.T, answer func(w http.ResponseWriter, req *http.Request) bool) *httptest.Server {
	t.Helper()
	transport, err := rest.TransportFor(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(e.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Authorization")
	}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !answer(w, req) {
			proxy.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// writeProxyKubeconfig writes a kubeconfig of a proxy.
func (e env) writeProxyKubeconfig(t *testing.T, file string, proxy *httptest.Server, user *clientcmdapi.AuthInfo) {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "c",
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "c", Namespace: e.namespace}},
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: proxy.URL, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"c": user},
	}, file); err != nil {
		t.Fatal(err)
	}
}

// TestRun_RequestLimit sends no more requests to the API server than --kube-api-qps and
// --kube-api-burst allow.
func TestRun_RequestLimit(t *testing.T) {
	e := newEnv(t)
	var requests atomic.Int32
	proxy := e.startProxy(t, func(http.ResponseWriter, *http.Request) bool {
		requests.Add(1)
		return false
	})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	e.writeProxyKubeconfig(t, kubeconfig, proxy, &clientcmdapi.AuthInfo{Token: "any"})
	o := runOptions(t, e.retried(e.markSeen()), kubeconfig)
	o.KubeAPIQPS, o.KubeAPIBurst = 0.001, 2
	p := startRun(t, o)
	eventually(t, "the burst", func() bool { return requests.Load() == 2 })
	unlimited := startRun(t, e.options(t, e.retried(e.markSeen())))
	unlimited.waitForLog(t, "watching")
	unlimited.stop(t)
	if got := requests.Load(); got != 2 {
		t.Errorf("got %d requests in the time in which a run without a limit watches, want 2", got)
	}
	p.stop(t)
}

// TestRetry_RotatedToken reads a token again after the API server has refused it: that of a
// file, and that of the kubeconfig (kubernetes/client-go#1345, kubernetes/kubernetes#77651,
// openshift/origin#3498, kyma-incubator/reconciler#358). The watch stays open.
func TestRetry_RotatedToken(t *testing.T) {
	for _, inFile := range []bool{true, false} {
		t.Run(fmt.Sprintf("file=%v", inFile), func(t *testing.T) {
			e := newEnv(t)
			e.createConfigMap(t, "seen")
			proxy := e.startRefuser(t)
			dir := t.TempDir()
			kubeconfig := filepath.Join(dir, "kubeconfig")
			write := func(token string) {
				t.Helper()
				user := &clientcmdapi.AuthInfo{Token: token}
				if inFile {
					user = &clientcmdapi.AuthInfo{TokenFile: filepath.Join(dir, "token")}
					if err := os.WriteFile(user.TokenFile, []byte(token), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				e.writeProxyKubeconfig(t, kubeconfig, proxy, user)
			}
			write("stale")
			p := e.runRetried(t, runOptions(t, e.retried(e.markSeen()), kubeconfig), "Unauthorized")
			write("good")
			p.wantSuccess(t)
		})
	}
}

// TestRetry_OtherObject leaves an object alone that was made anew while the event's action was
// retried (volcano-sh/volcano#5773).
func TestRetry_OtherObject(t *testing.T) {
	e := newEnv(t)
	var available atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !available.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	config := strings.Replace(e.retried(""), "action: ", fmt.Sprintf("actions: [{type: http-request, properties: {url: %q}}, {type: delete-resource}]", server.URL), 1)
	o := e.options(t, config)
	o.AllowAddresses = []string{"127.0.0.1"}
	p := e.runRetried(t, o, "status 503")
	if err := e.configMaps.Delete(t.Context(), "go", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.createConfigMap(t, "go")
	available.Store(true)
	p.wantSuccess(t)
	if _, err := e.configMaps.Get(t.Context(), "go", metav1.GetOptions{}); err != nil {
		t.Errorf("the new object: %v", err)
	}
}
