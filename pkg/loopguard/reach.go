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

package loopguard

import (
	"context"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// eventKind is the kind of Kubernetes Events, in each of its groups.
const eventKind = "Event"

// reach is what a trigger's actions have written and called, and thereby what they may
// lead to through controllers and servers that are not ours.
type reach struct {
	// events is true after a write of a Kubernetes Event, applications after one of an
	// Application, and objects after one of another object.
	events, applications, objects bool
	// calls is true after a request to a server other than the API server.
	calls bool
}

// addWrite records a write, or an attempt, of an object of the given kind.
func (r *reach) addWrite(k schema.GroupKind) {
	switch {
	case k.Kind == eventKind:
		r.events = true
	case k == v1beta1.ApplicationKindVersionKind.GroupKind():
		r.applications = true
	default:
		r.objects = true
	}
}

// MayCause reports whether what the trigger's actions have done so far may lead to ev:
//
//   - a Kubernetes Event leads to Kubernetes Events, and to calls;
//   - an Application leads to KubeVela's objects, to those with its label, to Kubernetes
//     Events, and to calls;
//   - any other object leads to anything;
//   - a request leads to calls and, if the event followed closely, to anything: direct
//     is false for that.
func (d *Detector) MayCause(ev event.Event) (may, direct bool) {
	d.mu.Lock()
	r := d.reach
	d.mu.Unlock()
	kind, _ := ev.Data["kind"].(string)
	isObject := kind != ""
	switch {
	case r.objects, !isObject && (r.calls || r.events || r.applications):
		return true, true
	case kind == eventKind && (r.events || r.applications), r.applications && ofKubeVela(ev.Data):
		return true, true
	}
	return r.calls, false
}

// ofKubeVela reports whether an object is one of KubeVela's, or made of an Application.
func ofKubeVela(data map[string]any) bool {
	apiVersion, _ := data["apiVersion"].(string)
	if g, err := schema.ParseGroupVersion(apiVersion); err == nil && g.Group == v1beta1.Group {
		return true
	}
	metadata, _ := data["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	_, labeled := labels[oam.LabelAppName]
	return labeled
}

// Call returns the causes of a request with ctx to a server other than the API server,
// as the request has to carry them. It records the request.
func (d *Detector) Call(ctx context.Context) string {
	d.mu.Lock()
	d.reach.calls = true
	d.mu.Unlock()
	return d.causes(ctx).String()
}
