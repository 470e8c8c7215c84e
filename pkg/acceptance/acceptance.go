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

// Package acceptance signs what the controller has accepted, and verifies it.
//
// For each TriggerService the controller writes one Definition with its accepted version:
// the spec and the action templates that the worker runs, and the verdict of the check.
// It is signed with the controller's key, and bound to the name, namespace and UID of the
// TriggerService, so that nobody else can have a worker run anything.
package acceptance

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// MaxSize is the maximum size of an accepted version in its Definition, in bytes. The
	// API server stores objects of up to 1.5 MiB.
	MaxSize = 1 << 20
	// payloadKey and signatureKey are the entries of the Definition's templates.
	payloadKey, signatureKey = "payload.json", "signature"
	// purpose precedes the payload in what is signed.
	purpose = "kube-trigger accepted version\n"
)

// ErrTooLarge is returned for a version that exceeds MaxSize.
var ErrTooLarge = fmt.Errorf("the spec with the templates of its actions, and the report about them, exceed %d KiB", MaxSize>>10)

// Version is an accepted version of a TriggerService.
type Version struct {
	Namespace  string    `json:"namespace"`
	Name       string    `json:"name"`
	UID        types.UID `json:"uid"`
	Generation int64     `json:"generation"`
	// Worker is the name of the Deployment of the worker that runs it; no other one may, and
	// none if it is empty.
	Worker string `json:"worker"`
	// WebhookPort is the port on which the worker serves its webhooks; 0 for that of the
	// worker.
	WebhookPort int32 `json:"webhookPort,omitempty"`
	// Spec is the spec as it was checked.
	Spec v1alpha1.TriggerServiceSpec `json:"spec"`
	// Rejected has the reasons why triggers must not be compiled, by their names.
	Rejected map[string]string `json:"rejected,omitempty"`
	// Actions has the active templates that are not built in, by action type.
	Actions map[string]string `json:"actions,omitempty"`
	// InvalidActions has the reasons why actions have no active template, by action type.
	InvalidActions map[string]string `json:"invalidActions,omitempty"`
	Verdict        Verdict           `json:"verdict"`
}

// Verdict is the result of a check, for the controller.
type Verdict struct {
	// Hash identifies the request and the program that checked it.
	Hash string `json:"hash"`
	// Report is what the check returned, as JSON.
	Report json.RawMessage `json:"report,omitempty"`
}

// Labels returns the labels that all Definitions of accepted versions have.
func Labels() map[string]string {
	return map[string]string{"app.kubernetes.io/managed-by": "kube-trigger-controller", "app.kubernetes.io/component": "worker"}
}

// Sign returns the Definition of v with Labels, signed with key, without owners. The error
// is ErrTooLarge if it would exceed MaxSize.
func Sign(key ed25519.PrivateKey, v Version) (*corev1alpha1.Definition, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode accepted version: %w", err)
	}
	// The payload is a string in JSON.
	if stored, err := json.Marshal(string(payload)); err != nil || len(stored) > MaxSize {
		return nil, errors.Join(ErrTooLarge, err)
	}
	return &corev1alpha1.Definition{
		TypeMeta:   metav1.TypeMeta{APIVersion: corev1alpha1.GroupVersion().String(), Kind: corev1alpha1.DefinitionKind},
		ObjectMeta: metav1.ObjectMeta{Namespace: v.Namespace, Name: trigger.AcceptedName(v.Name), Labels: Labels()},
		Spec: corev1alpha1.DefinitionSpec{
			Type: corev1alpha1.TriggerAccepted,
			Templates: map[string]string{
				payloadKey:   string(payload),
				signatureKey: base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(purpose+string(payload)))),
			},
		},
	}, nil
}

// Open returns the accepted version in d if it is signed with the private part of key and
// bound to the TriggerService ts.
func Open(key ed25519.PublicKey, d *corev1alpha1.Definition, ts metav1.Object) (Version, error) {
	fail := func(format string, args ...any) (Version, error) {
		return Version{}, fmt.Errorf("accepted version in Definition %s/%s: %w", d.Namespace, d.Name, fmt.Errorf(format, args...))
	}
	if d.Spec.Type != corev1alpha1.TriggerAccepted {
		return fail("its type is %q, not %q", d.Spec.Type, corev1alpha1.TriggerAccepted)
	}
	signature, err := base64.StdEncoding.DecodeString(d.Spec.Templates[signatureKey])
	payload := d.Spec.Templates[payloadKey]
	if err != nil || !ed25519.Verify(key, []byte(purpose+payload), signature) {
		return fail("it is not signed by the controller")
	}
	var v Version
	if err := json.Unmarshal([]byte(payload), &v); err != nil {
		return fail("decode: %w", err)
	}
	if v.Namespace != ts.GetNamespace() || v.Name != ts.GetName() {
		return fail("it was signed for the TriggerService %s/%s, not %s/%s", v.Namespace, v.Name, ts.GetNamespace(), ts.GetName())
	}
	if v.UID != ts.GetUID() {
		return fail("it was signed for the TriggerService with the UID %s, not %s", v.UID, ts.GetUID())
	}
	return v, nil
}

// Unverified returns the version in d, whoever wrote it, or an empty one. It must not be
// run, nor evaluated outside a sandbox.
func Unverified(d *corev1alpha1.Definition) Version {
	var v Version
	if d.Spec.Type != corev1alpha1.TriggerAccepted || json.Unmarshal([]byte(d.Spec.Templates[payloadKey]), &v) != nil {
		return Version{}
	}
	return v
}
