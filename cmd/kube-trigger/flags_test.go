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

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
)

// TestRunFlags sets every flag of run.
func TestRunFlags(t *testing.T) {
	o := app.DefaultRunOptions()
	var log logFlags
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	runFlags(f, &o, &log)
	want := app.DefaultRunOptions()
	want.Version = version
	if !reflect.DeepEqual(o, want) || log != (logFlags{"info", "text"}) {
		t.Errorf("defaults %+v, %+v", o, log)
	}
	args := strings.Fields(`-c dir --actions-dir actions --kubeconfig kube.yaml --context hub
		--log-level debug --log-format json --store store.db --trigger-service team-a/notify --worker-namespace team-a --adopt-store --from now
		--workers 8 --queue-size 9 --queue-bytes 32Mi --timeout 1m --max-retry 0 --retry-delay 3 --shutdown-grace 1.5 --fail-fast
		--allow-address 127.0.0.1,10.0.0.0/8 --deny-address 10.1.0.0/16 --deny-private --kube-api-qps 50 --kube-api-burst 60 --journal dir --journal-size 64Mi --cluster-access secret --controller-key key --state-dir state --pod-name worker-0 --lease-duration 3
		--metrics-addr :8080 --metrics-auth --webhook-addr :8091`)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	f.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			t.Errorf("--%s is not covered", f.Name)
		}
	})
	want = app.RunOptions{
		StoreOptions: app.StoreOptions{
			ClusterOptions: app.ClusterOptions{Kubeconfig: "kube.yaml", Context: "hub", Version: version},
			Config:         "dir", TriggerService: "team-a/notify", Store: "store.db",
		},
		JournalOptions:  app.JournalOptions{Journal: "dir", JournalSize: 64 << 20},
		WorkerNamespace: "team-a", ActionsDir: "actions",
		Workers: 8, QueueSize: 9, QueueBytes: 32 << 20, Timeout: time.Minute, MaxRetry: 0, RetryDelay: 3 * time.Second,
		ShutdownGrace: 1500 * time.Millisecond, FailFast: true,
		From: app.FromNow, AdoptStore: true, ControllerKey: "key", StateDir: "state", PodName: "worker-0", LeaseDuration: 3 * time.Second,
		AllowAddresses: []string{"127.0.0.1", "10.0.0.0/8"}, DenyAddresses: []string{"10.1.0.0/16"}, DenyPrivate: true, KubeAPIQPS: 50, KubeAPIBurst: 60, ClusterAccess: "secret",
		MetricsAddr: ":8080", MetricsAuth: true, WebhookAddr: ":8091",
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got %+v, want %+v", o, want)
	}
	if log != (logFlags{"debug", "json"}) {
		t.Errorf("log %+v", log)
	}
}

// TestControllerFlags sets every flag of controller.
func TestControllerFlags(t *testing.T) {
	var o app.ControllerOptions
	var log logFlags
	f := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	controllerFlags(f, &o, &log)
	want := app.ControllerOptions{
		ClusterOptions: app.ClusterOptions{Version: version},
		WorkerImage:    "ghcr.io/kubevela/kube-trigger:" + version, LeaderElect: true, MetricsAddr: "0", HealthAddr: "0",
		Webhook: app.WebhookOptions{Addr: ":9443"},
	}
	if !reflect.DeepEqual(o, want) || log != (logFlags{"info", "text"}) {
		t.Errorf("defaults %+v, %+v", o, log)
	}
	args := strings.Fields(`--kubeconfig kube.yaml --context hub --log-level debug --log-format json --namespace kube-trigger
		--default-worker-template dedicated --grant-bumps --bump-clusters edge,eu-1 --worker-image worker:v1 --leader-elect=false --metrics-addr :8080 --metrics-auth --health-addr :8081
		--lockdown-default-account --lockdown-no-clusters --lockdown-no-private-egress
		--lockdown-forbidden-accounts admin,team-a/deployer --lockdown-max-triggers 10 --lockdown-max-trigger-services 20
		--webhook --webhook-addr :9444 --webhook-cert-dir certs --webhook-client-ca ca.crt`)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	f.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			t.Errorf("--%s is not covered", f.Name)
		}
	})
	want = app.ControllerOptions{
		ClusterOptions: app.ClusterOptions{Kubeconfig: "kube.yaml", Context: "hub", Version: version},
		Namespace:      "kube-trigger", DefaultWorkerTemplate: "dedicated", GrantBumps: true, BumpClusters: []string{"edge", "eu-1"}, WorkerImage: "worker:v1", MetricsAddr: ":8080", MetricsAuth: true, HealthAddr: ":8081",
		Lockdown: lockdown.Rules{
			DefaultAccount: true, NoClusters: true, NoPrivateEgress: true,
			ForbiddenAccounts: []string{"admin", "team-a/deployer"}, MaxTriggers: 10, MaxTriggerServices: 20,
		},
		Webhook: app.WebhookOptions{Enabled: true, Addr: ":9444", CertDir: "certs", ClientCA: "ca.crt"},
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got %+v, want %+v", o, want)
	}
}
