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
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/explain"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/store/socket"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// ExplainOptions select the triggers to explain: those of a TriggerService, or of the
// configuration or the store that a running process has.
type ExplainOptions struct {
	StoreOptions

	// Namespace is that of Service. Defaults to the namespace of the kubeconfig.
	Namespace string
	// Service is the name of a TriggerService; empty for the Config or Store of StoreOptions.
	Service string
	// ActionsDir is the one that the configuration runs with.
	ActionsDir string
	// Trigger is the name of a trigger; empty for all.
	Trigger string
	// Object is KIND/NAME or KIND/NAMESPACE/NAME; empty for all.
	Object string
}

// Explanation is why triggers acted, or did not.
type Explanation struct {
	// TriggerService is NAMESPACE/NAME; empty for a configuration.
	TriggerService string `json:"triggerService,omitempty"`
	// Problems are what is wrong now with the TriggerService as a whole.
	Problems []explain.Finding `json:"problems,omitempty"`
	// Workers are the pods that were asked.
	Workers []AskedWorker `json:"workers,omitempty"`
	// Triggers are in the order of the spec.
	Triggers []explain.Trigger `json:"triggers"`
}

// AskedWorker is a pod that was asked for its decisions.
type AskedWorker struct {
	Pod     string     `json:"pod"`
	Ready   bool       `json:"ready"`
	Started *time.Time `json:"started,omitempty"`
	// Error is why the pod gave no answer.
	Error string `json:"error,omitempty"`
}

// Reasons of problems of a TriggerService.
const (
	// reasonNotChecked: the controller has not checked the latest change.
	reasonNotChecked = "NotChecked"
	// reasonNotRunYet: the worker runs an earlier version.
	reasonNotRunYet = "EarlierVersionRuns"
	// reasonVersionIgnored: the worker ignores the accepted version.
	reasonVersionIgnored = "VersionIgnored"
	// reasonNoWorker: there is no pod of a worker.
	reasonNoWorker = "NoWorker"
)

// Explain explains why triggers acted lately, or did not, with the rights of the caller.
func Explain(ctx context.Context, o ExplainOptions) (Explanation, error) {
	c, err := o.newCallerClient(o.Namespace)
	if err != nil {
		return Explanation{}, err
	}
	e := explain.Explainer{Client: c}
	if o.Object != "" {
		if e.Object, err = c.object(o.Object); err != nil {
			return Explanation{}, InvalidError{fmt.Errorf("--object %w", err)}
		}
	}
	var (
		out   Explanation
		rules []explain.Rule
	)
	if o.Service != "" {
		rules, err = c.explainService(ctx, o.Service, &e, &out)
	} else {
		rules, err = o.explainProcess(ctx, c.namespace, &e)
	}
	if err != nil {
		return Explanation{}, err
	}
	if rules, err = selectRule(rules, o.Trigger); err != nil {
		return Explanation{}, err
	}
	slices.SortStableFunc(e.Decisions, func(a, b observe.Decision) int { return b.Time.Compare(a.Time) })
	for _, r := range rules {
		out.Triggers = append(out.Triggers, e.Explain(ctx, r))
	}
	return out, nil
}

// selectRule returns the rule with a name; all rules if the name is empty.
func selectRule(rules []explain.Rule, name string) ([]explain.Rule, error) {
	if name == "" {
		return rules, nil
	}
	var names []string
	for _, r := range rules {
		if r.Name == name {
			return []explain.Rule{r}, nil
		}
		names = append(names, r.Name)
	}
	return nil, InvalidError{fmt.Errorf("no trigger %q%s", name, diag.Suggest(name, names))}
}

// explainService returns the rules of a TriggerService, and sets what e knows of them.
func (c *callerClient) explainService(ctx context.Context, name string, e *explain.Explainer, out *Explanation) ([]explain.Rule, error) {
	ts, err := c.triggerService(ctx, name)
	if err != nil {
		return nil, err
	}
	out.TriggerService = ts.Namespace + "/" + ts.Name
	out.Problems = serviceProblems(ts)
	pods, err := c.workers(ctx, ts.Namespace, ts.Name)
	if err != nil {
		out.Workers = append(out.Workers, AskedWorker{Error: err.Error()})
	} else if len(pods) == 0 {
		out.Problems = append(out.Problems, explain.Finding{Reason: reasonNoWorker, Message: "no pod of a worker is in the namespace"})
	}
	for _, p := range pods {
		asked := AskedWorker{Pod: p.Name, Ready: ready(p)}
		if started := startTime(p); !started.IsZero() {
			asked.Started = &started
			if e.Since.IsZero() || started.Before(e.Since) {
				e.Since = started
			}
		}
		if err := c.debug(ctx, p, decisionsPath(ts.Name), readDecisions(&e.Decisions)); err != nil {
			asked.Error = err.Error()
		}
		out.Workers = append(out.Workers, asked)
	}
	e.Account = trigger.UserName(ts.Namespace, trigger.Account(ts))
	e.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + ts.Namespace, "system:authenticated"}
	return c.rules(ts), nil
}

// triggerService reads a TriggerService. It suggests the nearest name.
func (c *callerClient) triggerService(ctx context.Context, name string) (*v1alpha1.TriggerService, error) {
	ts := &v1alpha1.TriggerService{}
	err := c.Get(ctx, types.NamespacedName{Namespace: c.namespace, Name: name}, ts)
	if !apierrors.IsNotFound(err) {
		return ts, err
	}
	var list v1alpha1.TriggerServiceList
	var names []string
	if c.List(ctx, &list, client.InNamespace(c.namespace)) == nil {
		for _, ts := range list.Items {
			names = append(names, ts.Name)
		}
	}
	return nil, fmt.Errorf("no TriggerService %q in namespace %s%s", name, c.namespace, diag.Suggest(name, names))
}

// rules returns the triggers of a TriggerService. No CUE of the author is evaluated.
func (c *callerClient) rules(ts *v1alpha1.TriggerService) []explain.Rule {
	var rules []explain.Rule
	clients := clients{namespace: ts.Namespace}
	for i, t := range trigger.CompileService(clients.compiler(nil), ts, skipCUE) {
		r := explain.Rule{TriggerRef: t.TriggerRef, SourceType: t.SourceType, Suspended: t.Suspended, Subscription: t.Subscription}
		r.SourceType = cmp.Or(r.SourceType, ts.Spec.Triggers[i].Source.Type)
		if at := slices.IndexFunc(ts.Status.Triggers, func(s v1alpha1.TriggerStatus) bool { return s.Name == t.Name }); at >= 0 {
			r.Status = &ts.Status.Triggers[at]
		}
		rules = append(rules, r)
	}
	return rules
}

// skipCUE rejects the parts of a trigger with CUE of its author, for CompileService.
func skipCUE(_ int, _, part string) string {
	if part == "" {
		return ""
	}
	return "not compiled"
}

// serviceProblems returns what is wrong with a TriggerService as a whole.
func serviceProblems(ts *v1alpha1.TriggerService) (problems []explain.Finding) {
	s := ts.Status
	for _, c := range s.Conditions {
		// Ready has the problems of triggers, which they have themselves, and of the others.
		if c.Status == metav1.ConditionFalse && c.Type != v1alpha1.ConditionReady {
			problems = append(problems, explain.Finding{Reason: c.Reason, Message: c.Message})
		}
	}
	switch {
	case s.ObservedGeneration < ts.Generation:
		problems = append(problems, explain.Finding{Reason: reasonNotChecked, Message: "the controller has not checked the latest change; what ran before continues"})
	case s.WorkerMessage != "":
		problems = append(problems, explain.Finding{Reason: reasonVersionIgnored, Message: s.WorkerMessage})
	case s.WorkerGeneration < ts.Generation:
		problems = append(problems, explain.Finding{Reason: reasonNotRunYet, Message: "no worker runs the latest change yet"})
	}
	return problems
}

// explainProcess returns the rules of a configuration, and has e know the decisions of the process that
// runs it.
func (o ExplainOptions) explainProcess(ctx context.Context, namespace string, e *explain.Explainer) ([]explain.Rule, error) {
	path, err := o.storeFile()
	if err != nil {
		return nil, err
	}
	if err := debugProcess(ctx, path, decisionsPath(""), readDecisions(&e.Decisions)); err != nil {
		return nil, err
	}
	if o.Config == "" {
		return rulesOf(e.Decisions), nil
	}
	return configRules(ctx, o.Config, o.ActionsDir, namespace)
}

// debugProcess sends a GET request for a path below /debug/ to the process that has a store open,
// and passes the response to read.
func debugProcess(ctx context.Context, store, path string, read func(io.Reader) error) (err error) {
	s, err := socket.Dial(ctx, socketPath(store))
	if err != nil {
		return fmt.Errorf("no running process with the store %s answers: %w", store, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	res, err := s.Debug(ctx, path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return readDebug(res, read)
}

// rulesOf returns the triggers that have decisions.
func rulesOf(decisions []observe.Decision) (rules []explain.Rule) {
	seen := map[string]bool{}
	for _, d := range decisions {
		if !seen[d.Trigger] {
			rules = append(rules, explain.Rule{TriggerRef: event.ParseTriggerRef(d.Trigger), SourceType: d.Event.Source})
		}
		seen[d.Trigger] = true
	}
	slices.SortFunc(rules, func(a, b explain.Rule) int { return cmp.Compare(a.String(), b.String()) })
	return rules
}

// configRules returns the triggers of a configuration.
func configRules(ctx context.Context, file, actionsDir, namespace string) ([]explain.Rule, error) {
	cfg, err := readConfig(file, actionsDir)
	if err != nil {
		return nil, err
	}
	compiled, err := cfg.checkAndCompile(ctx, clients{namespace: namespace})
	if err != nil {
		return nil, err
	}
	var rules []explain.Rule
	for _, r := range compiled.rules {
		rules = append(rules, explain.Rule{TriggerRef: r.TriggerRef, SourceType: r.SourceType, Suspended: r.Suspended, Subscription: r.Subscription})
	}
	return rules, nil
}
