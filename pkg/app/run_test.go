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
	"net"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
)

// TestRun covers a configuration with a trigger that acts, and one whose kind is
// not installed.
func TestRun(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	for _, name := range []string{"web", "nothing"} {
		e.createConfigMap(t, name)
	}
	p := startRun(t, e.options(t, e.triggers()))
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	if l := p.waitForLog(t, "Action succeeded")[0]; l["trigger"] != "default/bump" {
		t.Errorf("trigger %v", l["trigger"])
	}
	if version := e.publishVersion(t, "web"); version != "1" {
		t.Errorf("version %q", version)
	}
	e.setValue(t, "nothing", "1")
	if l := p.waitForLog(t, "Event dead-lettered")[0]; !strings.Contains(fmt.Sprint(l), `applications.core.oam.dev "nothing" not found`) || fmt.Sprint(l["attempts"]) != "1" {
		t.Errorf("got %v", l)
	}
	if l := p.waitForLog(t, "kind is not registered; waiting")[0]; l["kind"] != "Image" || l["apiVersion"] != "kpack.io/v1alpha2" {
		t.Errorf("got %v", l)
	}
	p.stop(t)
}

// TestRun_Forbidden reports which right the user lacks to watch and to act.
func TestRun_Forbidden(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	e.createConfigMap(t, "web")
	powerless := e.ServiceAccount(t, e.namespace, "powerless")
	p := startRun(t, runOptions(t, e.triggers(), writeKubeconfig(t, powerless, e.namespace)))
	want := fmt.Sprintf(`User "system:serviceaccount:%s:powerless" cannot list resource "configmaps"`, e.namespace)
	if l := p.waitForLog(t, "Source failed")[0]; !strings.Contains(fmt.Sprint(l["err"]), want) && !strings.Contains(fmt.Sprint(l), want) {
		t.Errorf("got %v", l)
	}
	p.stop(t)

	reader := e.ServiceAccount(t, e.namespace, "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{"core.oam.dev"}, Resources: []string{"applications"}, Verbs: []string{"get"}})
	p = startRun(t, runOptions(t, e.triggers(), writeKubeconfig(t, reader, e.namespace)))
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	want = fmt.Sprintf(`User "system:serviceaccount:%s:reader" cannot patch resource "applications"`, e.namespace)
	if l := p.waitForLog(t, "Event dead-lettered")[0]; !strings.Contains(fmt.Sprint(l), want) {
		t.Errorf("got %v", l)
	}
	p.stop(t)
}

// TestRun_Unreachable retries an API server that does not answer, and fails at
// once with FailFast.
func TestRun_Unreachable(t *testing.T) {
	// The port is the local one of a connection, so that no other process can
	// listen on it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	address := c.LocalAddr().String()
	kubeconfig := writeKubeconfig(t, &rest.Config{Host: "http://" + address}, "default")
	config := env{namespace: "default"}.triggers()

	p := startRun(t, runOptions(t, config, kubeconfig))
	if l := p.waitForLog(t, "Source failed")[0]; !strings.Contains(fmt.Sprint(l), address) || !strings.Contains(fmt.Sprint(l), "connection refused") {
		t.Errorf("got %v", l)
	}
	p.stop(t)

	o := runOptions(t, config, kubeconfig)
	o.FailFast = true
	p = startRun(t, o)
	if err := p.wait(t); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v", err)
	}
}
