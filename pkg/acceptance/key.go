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

package acceptance

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// seedKey is the key of the Secret whose value is the seed of the private key.
const seedKey = "ed25519.seed"

// KeySecret is the Secret with the controller's key.
type KeySecret struct {
	Client client.Client
	// APIReader reads from the API server, past the cache of Client.
	APIReader client.Reader
	Name      types.NamespacedName
	// FieldManager is used for all writes. Labels are set on the Secret.
	FieldManager string
	Labels       map[string]string
}

// Load returns the key, and creates it if there is no Secret. Only one process may call it
// at a time. A Secret with another content is an error, and is not changed.
func (s KeySecret) Load(ctx context.Context) (ed25519.PrivateKey, error) {
	o := &corev1.Secret{}
	err := s.APIReader.Get(ctx, s.Name, o)
	if apierrors.IsNotFound(err) {
		return s.create(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("get Secret %s: %w", s.Name, err)
	}
	seed := o.Data[seedKey]
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("signing key in Secret %s: %s has %d bytes, not %d; to get a new key, delete the Secret and restart the controller", s.Name, seedKey, len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func (s KeySecret) create(ctx context.Context) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create signing key: %w", err)
	}
	o := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Name.Namespace, Name: s.Name.Name, Labels: s.Labels},
		Data:       map[string][]byte{seedKey: key.Seed()},
	}
	// Rights can name the Secret of a server-side apply, but not that of a create.
	if err := s.Client.Patch(ctx, o, client.Apply, client.FieldOwner(s.FieldManager)); err != nil {
		return nil, fmt.Errorf("apply Secret %s: %w", s.Name, err)
	}
	return key, nil
}

// FormatKey returns the public part of key as ParseKey reads it.
func FormatKey(key ed25519.PrivateKey) string {
	public, _ := key.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(public)
}

// ParseKey parses a public key: 32 bytes as base64.
func ParseKey(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q: must be an ed25519 public key, %d bytes as base64", text, ed25519.PublicKeySize)
	}
	return key, nil
}
