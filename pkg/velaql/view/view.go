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

// Package view evaluates VelaQL views: CUE templates that read objects and return a
// value.
//
//   - Views are read-only: a call that could change anything is an error.
//   - Views see the metadata of Secrets, but not their data.
//   - A failed read is an error even if the view handles it. Only "not found" is left
//     to the view. A value `{error: "…"}`, the convention of KubeVela's views, is an
//     error, too.
//   - A view is compiled on its first evaluation and whenever its text changes.
package view

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

const (
	// templateKey is the ConfigMap key with the CUE of a view.
	templateKey = "template"
	// MaxTemplate is the maximum size of the CUE of a view, in bytes.
	MaxTemplate = 1 << 20
	// MaxValue is the maximum size of a value, in bytes of JSON.
	MaxValue = 1 << 20
)

// Options configure the evaluation of views.
type Options struct {
	// Client reads the ConfigMaps of views.
	Client client.Client
	// Executor executes the calls of views, with its identity.
	Executor provider.Executor
	// CrashTracker returns the tracker for a view with the given text. Optional.
	CrashTracker func(text string) CrashTracker
}

// View evaluates one query repeatedly. It is safe for concurrent use.
type View struct {
	query   query.Query
	options Options

	mu sync.Mutex
	// text is the text of the last evaluation, and tracker its tracker.
	text    string
	tracker CrashTracker
	// compiled is the compiled view of compiledText.
	compiled     *action.View
	compiledText string
}

// New returns the view of the query q. It compiles q.Template and returns its
// diagnostics under `template` and `parameter`. A view that q names is not read before
// its first evaluation.
func New(q query.Query, o Options) (*View, diag.List) {
	v := &View{query: q, options: o}
	if q.View != "" {
		return v, nil
	}
	return v, v.compile(q.Template)
}

// Evaluate returns the value of the query as decoded JSON. Errors of the view itself
// are terminal.
func (v *View) Evaluate(ctx context.Context) (any, error) {
	value, err := v.evaluate(ctx)
	if err != nil {
		return nil, fmt.Errorf("view %s: %w", v.name(), err)
	}
	return value, nil
}

// Rights returns the rights that evaluations need, and says which others cannot be told, or
// "".
func (v *View) Rights() (list []rights.Right, unknown string) {
	if v.query.View != "" {
		return provider.NamedViewRights(v.query.View)
	}
	uses, notes := v.compiled.Uses()
	for _, u := range uses {
		list = append(list, u.Right)
	}
	return list, strings.Join(notes, "; ")
}

func (v *View) name() string {
	if v.query.View == "" {
		return "template"
	}
	return v.query.View
}

func (v *View) evaluate(ctx context.Context) (any, error) {
	compiled, tracker, err := v.current(ctx)
	if err != nil {
		return nil, err
	}
	ctx, end := action.Track(ctx, tracker, evaluationID)
	defer end()
	value, err := compiled.Evaluate(ctx, v.query.Export)
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
		return nil, action.Terminal(fmt.Errorf("value exceeds %d KiB", MaxValue>>10))
	}
	return value, nil
}

// current returns the compiled view of the current text, and its tracker.
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
	if err := checkCrashed(v.tracker); err != nil {
		return nil, nil, err
	}
	if v.compiled != nil && v.compiledText == text {
		return v.compiled, v.tracker, nil
	}
	_, end := action.Track(ctx, v.tracker, evaluationID)
	defer end()
	if diags := v.compile(text); len(diags) > 0 { //nolint:contextcheck // compiling makes no requests
		return nil, nil, action.Terminal(diags)
	}
	return v.compiled, v.tracker, nil
}

// readTemplate reads the CUE of a named view from its ConfigMap.
func (v *View) readTemplate(ctx context.Context) (string, error) {
	m := &unstructured.Unstructured{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	if err := v.options.Client.Get(ctx, client.ObjectKey{Namespace: velatypes.DefaultKubeVelaNS, Name: v.query.View}, m); err != nil {
		return "", fmt.Errorf("read ConfigMap %s/%s: %w", velatypes.DefaultKubeVelaNS, v.query.View, err)
	}
	text, ok, _ := unstructured.NestedString(m.Object, "data", templateKey)
	if !ok {
		return "", fmt.Errorf("ConfigMap %s/%s is not a view: it has no key %q", velatypes.DefaultKubeVelaNS, v.query.View, templateKey)
	}
	return text, nil
}

// compile compiles text. The caller holds v.mu or has exclusive access to v.
func (v *View) compile(text string) diag.List {
	var diags diag.List
	if len(text) > MaxTemplate {
		diags.Add("template", "exceeds %d KiB", MaxTemplate>>10)
		return diags
	}
	template, diags := action.Parse(v.name(), text)
	if len(diags) > 0 {
		return diags.WithPrefix("template")
	}
	compiled, diags := template.View(action.Options{
		Properties: v.query.Parameter, Executor: readOnlyExecutor{v.options.Executor}, Evaluators: 1,
	})
	if len(diags) > 0 {
		return diags.WithPrefix("parameter")
	}
	v.compiled, v.compiledText = compiled, text
	return nil
}
