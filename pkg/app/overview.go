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
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// OverviewOptions select triggers: those of TriggerServices, or of the configuration or the store
// that a running process has.
type OverviewOptions struct {
	StoreOptions

	// Namespace defaults to that of the kubeconfig. AllNamespaces is set for all.
	Namespace     string
	AllNamespaces bool
	// Service is the name of a TriggerService; empty for all.
	Service string
}

// Overview is the state of triggers at a time.
type Overview struct {
	Time     time.Time         `json:"time"`
	Triggers []TriggerOverview `json:"triggers"`
	// Unreachable are the workers whose metrics are missing.
	Unreachable []AskedWorker `json:"unreachable,omitempty"`
}

// TriggerOverview is the state of one trigger.
type TriggerOverview struct {
	Namespace string `json:"namespace,omitempty"`
	// Service is the name of the TriggerService; empty for a configuration.
	Service string `json:"triggerService,omitempty"`
	Name    string `json:"name"`
	// State, Reason, Message and LastAction are those of the status.
	State      v1alpha1.TriggerState `json:"state,omitempty"`
	Reason     string                `json:"reason,omitempty"`
	Message    string                `json:"message,omitempty"`
	LastAction *time.Time            `json:"lastAction,omitempty"`
	// Succeeded, Failed and DeadLetters are numbers of actions, attempts and events.
	Succeeded   int64 `json:"succeeded"`
	Failed      int64 `json:"failed"`
	DeadLetters int64 `json:"deadLetters"`
	// Metrics are those of the worker; nil if it gave no answer or does not run the trigger.
	Metrics *TriggerMetrics `json:"metrics,omitempty"`
}

// TriggerMetrics are what a worker counts since its start.
type TriggerMetrics struct {
	// Events are those that the filter has decided on, and Succeeded, Failed and DeadLettered
	// what became of them.
	Events       float64 `json:"events"`
	Succeeded    float64 `json:"succeeded"`
	Failed       float64 `json:"failed"`
	DeadLettered float64 `json:"deadLettered"`
	// Queued is the number of events in progress, and Lag the age of the oldest, in seconds.
	Queued float64 `json:"queued"`
	Lag    float64 `json:"lagSeconds"`
}

// metricsID identifies a trigger in metrics.
type metricsID struct{ namespace, service, name string }

// Overviewer reads overviews.
type Overviewer struct {
	options OverviewOptions
	caller  *callerClient
	// store is that of the process to ask; empty for TriggerServices.
	store string
}

// NewOverviewer returns an Overviewer.
func NewOverviewer(o OverviewOptions) (*Overviewer, error) {
	v := &Overviewer{options: o}
	var err error
	if o.Service == "" && (o.Config != "" || o.Store != StoreAuto) {
		v.store, err = o.storeFile()
		return v, err
	}
	v.caller, err = o.newCallerClient(o.Namespace)
	return v, err
}

// Read reads the state of the triggers now. A worker that gives no answer is not an error.
func (v *Overviewer) Read(ctx context.Context) (Overview, error) {
	if v.caller == nil {
		return v.readProcess(ctx)
	}
	services, err := v.services(ctx)
	if err != nil {
		return Overview{}, err
	}
	out := Overview{Time: time.Now(), Triggers: []TriggerOverview{}}
	namespaces := map[string]bool{}
	for _, ts := range services {
		namespaces[ts.Namespace] = true
	}
	metrics, unreachable := v.metrics(ctx, namespaces)
	out.Unreachable = unreachable
	for _, ts := range services {
		for i := range ts.Spec.Triggers {
			out.Triggers = append(out.Triggers, newTriggerOverview(&ts, i, metrics))
		}
	}
	return out, nil
}

// services returns the selected TriggerServices.
func (v *Overviewer) services(ctx context.Context) ([]v1alpha1.TriggerService, error) {
	if v.options.Service != "" {
		ts, err := v.caller.triggerService(ctx, v.options.Service)
		if err != nil {
			return nil, err
		}
		return []v1alpha1.TriggerService{*ts}, nil
	}
	namespace := v.caller.namespace
	if v.options.AllNamespaces {
		namespace = metav1.NamespaceAll
	}
	var list v1alpha1.TriggerServiceList
	if err := v.caller.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.TriggerService) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list.Items, nil
}

// newTriggerOverview returns the state of a trigger of ts.
func newTriggerOverview(ts *v1alpha1.TriggerService, index int, metrics map[metricsID]*TriggerMetrics) TriggerOverview {
	name := ts.TriggerName(index)
	out := TriggerOverview{
		Namespace: ts.Namespace, Service: ts.Name, Name: name, State: v1alpha1.TriggerWaiting, Reason: reasonNotRunYet,
		Metrics: metrics[metricsID{ts.Namespace, ts.Name, ts.Namespace + "/" + name}],
	}
	for _, s := range ts.Status.Triggers {
		if s.Name != name {
			continue
		}
		out.State, out.Reason, out.Message = s.State, s.Reason, s.Message
		out.Succeeded, out.Failed, out.DeadLetters = s.Succeeded, s.Failed, s.DeadLetters
		if s.LastActionTime != nil {
			out.LastAction = &s.LastActionTime.Time
		}
	}
	return out
}

// maxAsked is the number of workers that are asked at a time.
const maxAsked = 8

// metrics returns the metrics of the triggers of all workers in namespaces.
func (v *Overviewer) metrics(ctx context.Context, namespaces map[string]bool) (metrics map[metricsID]*TriggerMetrics, unreachable []AskedWorker) {
	metrics = map[metricsID]*TriggerMetrics{}
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, maxAsked)
	)
	failed := func(w AskedWorker) {
		mu.Lock()
		defer mu.Unlock()
		unreachable = append(unreachable, w)
	}
	for namespace := range namespaces {
		pods, err := v.caller.workers(ctx, namespace, v.options.Service)
		if err != nil {
			failed(AskedWorker{Error: err.Error()})
		}
		for _, p := range pods {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				if err := v.caller.debug(ctx, p, "/debug/metrics", func(body io.Reader) error {
					mu.Lock()
					defer mu.Unlock()
					return readMetrics(body, namespace, metrics)
				}); err != nil {
					failed(AskedWorker{Pod: p.Namespace + "/" + p.Name, Ready: ready(p), Error: err.Error()})
				}
			})
		}
	}
	wg.Wait()
	slices.SortFunc(unreachable, func(a, b AskedWorker) int { return cmp.Compare(a.Pod, b.Pod) })
	return metrics, unreachable
}

// readProcess returns the triggers that the metrics of a process have.
func (v *Overviewer) readProcess(ctx context.Context) (Overview, error) {
	metrics := map[metricsID]*TriggerMetrics{}
	if err := debugProcess(ctx, v.store, "/debug/metrics", func(body io.Reader) error { return readMetrics(body, "", metrics) }); err != nil {
		return Overview{}, err
	}
	out := Overview{Time: time.Now(), Triggers: []TriggerOverview{}}
	for id, m := range metrics {
		out.Triggers = append(out.Triggers, TriggerOverview{
			Name: id.name, State: v1alpha1.TriggerRunning, Succeeded: int64(m.Succeeded), Failed: int64(m.Failed), DeadLetters: int64(m.DeadLettered), Metrics: m,
		})
	}
	slices.SortFunc(out.Triggers, func(a, b TriggerOverview) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// readMetrics adds the metrics of a worker in a namespace, in the text format of Prometheus.
func readMetrics(body io.Reader, namespace string, metrics map[metricsID]*TriggerMetrics) error {
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	for name, family := range families {
		name = strings.TrimPrefix(name, "kube_trigger_")
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			id := metricsID{namespace, labels["triggerservice"], labels["trigger"]}
			if id.name == "" {
				continue
			}
			if metrics[id] == nil {
				metrics[id] = &TriggerMetrics{}
			}
			metrics[id].add(name, labels["outcome"], m.GetCounter().GetValue()+m.GetGauge().GetValue())
		}
	}
	return nil
}

// add adds the value of a metric.
func (m *TriggerMetrics) add(metric, outcome string, value float64) {
	switch metric {
	case "queued_events":
		m.Queued += value
	case "resume_lag_seconds":
		m.Lag = max(m.Lag, value)
	case "dead_letters_total":
		m.DeadLettered += value
	case "events_total":
		switch outcome {
		case "matched", "filtered":
			m.Events += value
		case "succeeded":
			m.Succeeded += value
		case "failed":
			m.Failed += value
		}
	}
}
