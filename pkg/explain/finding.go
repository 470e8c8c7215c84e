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

package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// Reasons of findings. Others are those of the status of a TriggerService.
const (
	// ReasonOtherKind: the trigger watches another kind of objects.
	ReasonOtherKind = "OtherKind"
	// ReasonOtherNamespace: the trigger watches another namespace.
	ReasonOtherNamespace = "OtherNamespace"
	// ReasonNotSelected: the selectors of the trigger do not select the object.
	ReasonNotSelected = "NotSelected"
	// ReasonNotSubscribed: the trigger does not ask for the type of event.
	ReasonNotSubscribed = string(source.NotSubscribed)
	// ReasonObjectNotFound: the object does not exist.
	ReasonObjectNotFound = "ObjectNotFound"
	// ReasonNoEvent: there was no event since decisions are kept.
	ReasonNoEvent = "NoEvent"
)

// problems returns what is wrong with a rule now. Without a problem in its status, the kind and
// the right to watch it are looked up.
func (e Explainer) problems(ctx context.Context, r Rule) []Finding {
	if r.Suspended {
		return []Finding{{v1alpha1.ReasonSuspended, "the trigger is suspended: it handles no events, and none of those that happen meanwhile later"}}
	}
	if s := r.Status; s != nil && (s.State != v1alpha1.TriggerRunning || s.Reason != "") {
		f := Finding{cmp.Or(s.Reason, string(s.State)), s.Message}
		if s.State == v1alpha1.TriggerQuarantined {
			f = Finding{string(s.State), fmt.Sprintf("%s (%s)", s.Message, s.Reason)}
		}
		return []Finding{f}
	}
	w := r.watch()
	if w == nil || w.InJoinedClusters() {
		return nil
	}
	mapping, err := e.Client.RESTMapper().RESTMapping(w.Kind.GroupKind(), w.Kind.Version)
	switch {
	case meta.IsNoMatchError(err):
		return []Finding{{v1alpha1.TriggerReasonKindNotFound, fmt.Sprintf("kind %s of %s is not installed", w.Kind.Kind, w.Kind.GroupVersion())}}
	case err != nil:
		return nil // not known
	}
	var problems []Finding
	for _, verb := range []string{"list", "watch"} {
		allowed, err := e.may(ctx, authorizationv1.ResourceAttributes{
			Namespace: w.Namespace, Name: w.Name, Verb: verb, Group: mapping.Resource.Group, Version: mapping.Resource.Version, Resource: mapping.Resource.Resource,
		})
		if err == nil && !allowed { // a caller who may not ask does not learn it
			where := "in all namespaces"
			if w.Namespace != "" {
				where = "in namespace " + w.Namespace
			}
			problems = append(problems, Finding{v1alpha1.TriggerReasonForbidden, fmt.Sprintf("%s may not %s %s %s", cmp.Or(e.Account, "the user"), verb, mapping.Resource.GroupResource(), where)})
		}
	}
	return problems
}

// may reports whether the account of the triggers has a right.
func (e Explainer) may(ctx context.Context, right authorizationv1.ResourceAttributes) (bool, error) {
	if e.Account == "" {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right}}
		err := e.Client.Create(ctx, review)
		return review.Status.Allowed, err
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &right, User: e.Account, Groups: e.Groups}}
	err := e.Client.Create(ctx, review)
	return review.Status.Allowed, err
}

// selectsTypes reports whether the source asks for types of changes of objects. Others derive
// their events.
func (r Rule) selectsTypes() bool { return r.SourceType == resource.Type && r.watch() != nil }

// missing returns why there is no decision of a rule about the object.
func (e Explainer) missing(ctx context.Context, r Rule, t Trigger) Finding {
	if len(t.Problems) > 0 {
		return t.Problems[0]
	}
	w := r.watch()
	if e.Object == nil || w == nil {
		return e.noEvent("no event", ": name an object with --object to learn whether the trigger covers it", w != nil && e.Object == nil)
	}
	o := e.Object
	switch {
	case o.Kind.GroupKind() != w.Kind.GroupKind():
		return Finding{ReasonOtherKind, fmt.Sprintf("the trigger watches %s of %s, not %s", w.Kind.Kind, w.Kind.GroupVersion(), o.Kind.Kind)}
	case w.InJoinedClusters():
		return e.noEvent("no event of "+o.String(), "", false)
	case w.Namespace != "" && w.Namespace != o.Key.Namespace:
		return Finding{ReasonOtherNamespace, fmt.Sprintf("the trigger watches namespace %s, and %s is in namespace %s", w.Namespace, o, o.Key.Namespace)}
	}
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(w.Kind)
	switch err := e.Client.Get(ctx, o.Key, found); {
	case apierrors.IsNotFound(err) && t.ignores(event.Delete):
		return Finding{ReasonObjectNotFound, fmt.Sprintf("%s does not exist, and the trigger does not ask for delete events", o)}
	case apierrors.IsNotFound(err):
		return Finding{ReasonObjectNotFound, fmt.Sprintf("%s does not exist", o)}
	}
	if selected, err := e.selects(ctx, *w, o.Key); err == nil && !selected {
		return Finding{ReasonNotSelected, fmt.Sprintf("%s does not match the selectors of the trigger: %s", o, strings.Trim("labels "+w.Labels+", fields "+w.Fields, ", "))}
	}
	if t.ignores(event.Update) {
		return Finding{ReasonNotSubscribed, fmt.Sprintf("%s exists, so its changes are update events, and the trigger does not ask for %s events", o, strings.Join(t.IgnoredEvents, " and "))}
	}
	return e.noEvent(o.String()+" has not changed", ", and an object that exists at the start of a trigger is an event only with `events: [sync]`", true)
}

// ignores reports whether the trigger does not ask for a type of event.
func (t Trigger) ignores(eventType string) bool { return slices.Contains(t.IgnoredEvents, eventType) }

// noEvent returns that there was no event since decisions are kept. more is added if it helps.
func (e Explainer) noEvent(text, more string, helps bool) Finding {
	text += " since the trigger started"
	if !e.Since.IsZero() {
		text = fmt.Sprintf("%s, as far as is known: decisions are kept since %s", text, e.Since.UTC().Format(time.RFC3339))
	}
	if helps {
		text += more
	}
	return Finding{ReasonNoEvent, text}
}

// selects reports whether the selectors of a watch select the object. The API server decides.
func (e Explainer) selects(ctx context.Context, w source.Watch, key client.ObjectKey) (bool, error) {
	if w.Labels == "" && w.Fields == "" {
		return true, nil
	}
	o, err := w.Select(ctx, e.Client, key)
	return o != nil, err
}
