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

package action

import (
	"context"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// variant is a way in which sample events, and results of calls, differ.
type variant struct {
	eventType string
	// value is what fields have whose type is not known; nil if they are absent.
	value any
	// fields makes the value an object with these fields, which have value; empty for value
	// itself.
	fields []string
	// emptyLists is set if no objects are found.
	emptyLists bool
}

// sampleMark is part of all names and texts of samples. It is a valid name.
const sampleMark = "kubetriggersample"

// textValue is the value of fields that stands for the text of a sample.
const textValue = sampleMark

// sample is the object of a sample event.
type sample struct {
	// mark identifies the object, and id the event.
	mark, id                 string
	name, namespace, cluster string
	time                     time.Time
}

// sampleOf returns a sample; those with different marks differ in all that is not known.
func sampleOf(mark string, e Events) sample {
	s := sample{name: e.Name, namespace: e.Namespace, mark: mark, id: mark, time: time.Unix(int64(mark[0])*1000, 0)}
	if s.name == "" {
		s.name = sampleMark + "-name-" + mark
	}
	if s.namespace == "" {
		s.namespace = sampleMark + "-namespace-" + mark
	}
	if e.ClusterScoped {
		s.namespace = ""
	}
	if e.OtherClusters {
		s.cluster = sampleMark + "-cluster-" + mark
	}
	return s
}

// isSample reports whether a text is that of a sample, or made of it.
func isSample(text string) bool { return strings.Contains(text, sampleMark) }

// isNamespace reports whether a text is the namespace of a sample.
func isNamespace(text string) bool { return strings.HasPrefix(text, sampleMark+"-namespace-") }

// value returns the value of fields of unknown type.
func (s sample) value(v variant) any {
	value := v.value
	if value == textValue {
		value = sampleMark + "-" + s.mark
	}
	if len(v.fields) == 0 {
		return value
	}
	object := map[string]any{}
	for _, name := range v.fields {
		object[name] = value
	}
	return object
}

// object returns the object of the sample.
func (s sample) object(apiVersion, kind string) map[string]any {
	metadata := map[string]any{
		"name": s.name, "uid": "uid-" + s.name, "resourceVersion": s.mark, "generation": int64(1),
		"creationTimestamp": time.Unix(0, 0).UTC().Format(time.RFC3339), "labels": map[string]any{}, "annotations": map[string]any{},
	}
	if s.namespace != "" {
		metadata["namespace"] = s.namespace
	}
	return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}

// context returns the value of `context` for the sample event.
func (s sample) context(r *Action, e Events, v variant) map[string]any {
	fields := r.ContextFields()
	complete := func(data map[string]any, at ...string) map[string]any {
		if v.value == nil {
			return data
		}
		return fields.Under(at...).Complete(data, s.value(v))
	}
	data := map[string]any{}
	if !e.Kind.Empty() {
		data = s.object(e.Kind.GroupVersion().String(), e.Kind.Kind)
		if v.value == textValue {
			metadata, _ := data["metadata"].(map[string]any)
			for _, text := range texts(r.options.Properties) {
				for _, field := range []string{"labels", "annotations"} {
					values, _ := metadata[field].(map[string]any)
					values[text] = s.value(v)
				}
			}
		}
	}
	data = complete(complete(data, "data"), redactedField)
	if e.Kind.Empty() { // no object
		maps.DeleteFunc(data, func(name string, _ any) bool { return name == "apiVersion" || name == "kind" || name == "metadata" })
	}
	ev := event.Event{
		Source: e.Source, Type: v.eventType, Cluster: s.cluster, Data: data, Time: s.time,
		ID: event.RevisionID(s.cluster, "uid-"+s.name, s.id), Old: complete(runtime.DeepCopyJSON(data), "old"),
	}
	if e.Grouped {
		ev.Batch = event.NewBatch(ev)
	}
	out := ev.Context(e.Trigger)
	out[expr.ResultsField] = complete(map[string]any{}, expr.ResultsField)
	return out
}

// texts returns the texts in properties: some name labels.
func texts(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	case map[string]any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	}
	return out
}

// recorder records calls, and returns sample results.
type recorder struct {
	sample  sample
	variant variant
	action  *Action
	calls   []provider.Call
}

// Execute implements provider.Executor.
func (c *recorder) Execute(_ context.Context, call provider.Call) (provider.Result, error) {
	if provider.NeedsRights(call) {
		call.Params = runtime.DeepCopyJSON(call.Params)
		c.calls = append(c.calls, call)
	}
	returns := c.returns(call)
	if call.Legacy {
		return returns, nil
	}
	return provider.Result{"$returns": returns}, nil
}

// returns returns the result of a call.
func (c *recorder) returns(call provider.Call) map[string]any {
	object := c.object(call)
	var out map[string]any
	switch call.Provider + "." + call.Do {
	case "kube.list", "op.list":
		items := []any{object}
		if c.variant.emptyLists {
			items = []any{}
		}
		if call.Legacy {
			return map[string]any{"list": map[string]any{"items": items}}
		}
		return map[string]any{"items": items, "values": map[string]any{"items": items}}
	case "kube.read", "op.read":
		return map[string]any{"value": object}
	case "kube.get", "kube.wait", "kube.create", "kube.apply", "kube.patch":
		out = object
	case "http.do", "op.do":
		response := map[string]any{"statusCode": int64(200), "body": "{}"}
		if call.Legacy {
			return map[string]any{"response": response}
		}
		return response
	}
	if call.Legacy || c.variant.value == nil {
		return out
	}
	if out = c.action.template.returns.Complete(out, c.sample.value(c.variant)); out == nil {
		out = map[string]any{}
	}
	delete(out, "err")
	delete(out, "failure")
	return out
}

// object returns the object of a call, with what the API server adds.
func (c *recorder) object(call provider.Call) map[string]any {
	given, _ := target(call)
	apiVersion, _ := given["apiVersion"].(string)
	kind, _ := given["kind"].(string)
	s := c.sample
	out := s.object(apiVersion, kind)
	metadata, _ := out["metadata"].(map[string]any)
	if filter, ok := call.Params["filter"].(map[string]any); ok {
		metadata["name"] = sampleMark + "-name-of-" + s.mark
		metadata["namespace"] = filter["namespace"]
		if filter["namespace"] == nil || filter["namespace"] == "" {
			metadata["namespace"] = sampleMark + "-namespace-of-" + s.mark
		}
	}
	for name, value := range given {
		if name != "metadata" {
			out[name] = value
		}
	}
	if fields, ok := given["metadata"].(map[string]any); ok {
		maps.Copy(metadata, fields)
	}
	return out
}
