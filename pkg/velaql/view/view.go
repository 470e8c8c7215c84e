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

// Package view evaluates views of VelaQL: CUE that reads, and shows what it finds.
//
//   - A view only reads: a call that could change anything is an error.
//   - What Secrets hold never reaches a view; it sees their metadata.
//   - What cannot be read is an error, also where the view would show that as its
//     value; so is a value `{error: "…"}`, as the views of KubeVela say it. That
//     something does not exist is up to the view.
//   - A view is compiled when it is first evaluated, and when its text changes.
package view

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/velaql/functions"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

const (
	// templateKey is where a ConfigMap has the CUE of a view.
	templateKey = "template"
	// MaxTemplate is how long the CUE of a view may be, in bytes.
	MaxTemplate = 1 << 20
	// MaxValue is how large a value may be, in bytes of JSON.
	MaxValue = 1 << 20
)

// Options are what views are evaluated with.
type Options struct {
	// Client reads the ConfigMaps of views.
	Client client.Client
	// Executor executes the calls of views. Its identity holds for them.
	Executor provider.Executor
	// CrashTracker returns what remembers beyond the end of the process that a view of
	// that text is being evaluated; nil where nothing does.
	CrashTracker func(text string) CrashTracker
}

// View is one query, to be evaluated again and again. It is safe for concurrent
// use.
type View struct {
	query   query.Query
	options Options

	mu sync.Mutex
	// text is what was evaluated last, and witness its witness.
	text    string
	tracker CrashTracker
	// compiled is what compiledOf has become.
	compiled     *action.View
	compiledText string
}

// New returns the view that q asks for. A view that q holds is compiled, and its
// problems are those of `template` and `parameter`; nothing is known yet of one that
// it names.
func New(q query.Query, o Options) (*View, diag.List) {
	v := &View{query: q, options: o}
	if q.View != "" {
		return v, nil
	}
	return v, v.compile(q.Template)
}

// Evaluate returns what the query asks for, as decoded JSON.
func (v *View) Evaluate(ctx context.Context) (any, error) {
	value, err := v.evaluate(ctx)
	if err != nil {
		return nil, fmt.Errorf("view %s: %w", v.name(), err)
	}
	return value, nil
}

func (v *View) name() string {
	if v.query.View == "" {
		return "template"
	}
	return v.query.View
}

func (v *View) evaluate(ctx context.Context) (any, error) {
	compiled, witness, err := v.current(ctx)
	if err != nil {
		return nil, err
	}
	p := &crashScope{tracker: witness}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	value, err := compiled.Evaluate(context.WithValue(ctx, crashScopeKey{}, p), v.query.Export)
	if err != nil {
		return nil, err
	}
	if m, ok := value.(map[string]any); ok {
		if text, ok := m["error"].(string); ok && text != "" {
			return nil, errors.New(text)
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxValue {
		return nil, action.Terminal(fmt.Errorf("its value is larger than %d KiB", MaxValue>>10))
	}
	return value, nil
}

// current returns the view as it is now, compiled.
func (v *View) current(ctx context.Context) (*action.View, CrashTracker, error) {
	text := v.query.Template
	if v.query.View != "" {
		var err error
		if text, err = v.readTemplate(ctx); err != nil {
			return nil, nil, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tracker == nil && v.options.CrashTracker != nil || text != v.text {
		v.text, v.tracker = text, nil
		if v.options.CrashTracker != nil {
			v.tracker = v.options.CrashTracker(text)
		}
	}
	if v.compiled != nil && v.compiledText == text {
		return v.compiled, v.tracker, nil
	}
	p := &crashScope{tracker: v.tracker}
	if err := p.enter(); err != nil {
		return nil, nil, err
	}
	defer p.leave()
	if problems := v.compile(text); len(problems) > 0 {
		return nil, nil, action.Terminal(problems)
	}
	return v.compiled, v.tracker, nil
}

// readTemplate returns the CUE of a view that has a name.
func (v *View) readTemplate(ctx context.Context) (string, error) {
	m := &unstructured.Unstructured{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	if err := v.options.Client.Get(ctx, client.ObjectKey{Namespace: functions.Namespace, Name: v.query.View}, m); err != nil {
		return "", fmt.Errorf("read ConfigMap %s/%s: %w", functions.Namespace, v.query.View, err)
	}
	text, ok, _ := unstructured.NestedString(m.Object, "data", templateKey)
	if !ok {
		return "", fmt.Errorf("ConfigMap %s/%s is no view: it has no key %q", functions.Namespace, v.query.View, templateKey)
	}
	return text, nil
}

// compile makes text the view. The lock is held, or nobody else has v yet.
func (v *View) compile(text string) diag.List {
	var problems diag.List
	if len(text) > MaxTemplate {
		problems.Add("template", "is larger than %d KiB", MaxTemplate>>10)
		return problems
	}
	template, problems := action.Parse(v.name(), text)
	if len(problems) > 0 {
		return problems.WithPrefix("template")
	}
	compiled, problems := template.View(action.Options{
		Properties: v.query.Parameter, Executor: readOnlyExecutor{v.options.Executor}, Evaluators: 1,
	})
	if len(problems) > 0 {
		return problems.WithPrefix("parameter")
	}
	v.compiled, v.compiledText = compiled, text
	return nil
}
