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

package webhook

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxSecretBytes limits the size of a secret in a file.
const maxSecretBytes = 64 << 10

// secret is a value that formats as "[redacted]" with any verb. The value is behind a
// function because fmt prints nested struct fields without calling their methods.
type secret struct{ value func() []byte }

func newSecret(value []byte) secret { return secret{func() []byte { return value }} }

const redacted = "[redacted]"

// Format implements fmt.Formatter.
func (secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// equals compares in constant time.
func (s secret) equals(given string) bool {
	return subtle.ConstantTimeCompare(s.value(), []byte(given)) == 1
}

// secretRef refers to a secret in a Secret, a file or an environment variable.
type secretRef struct {
	namespace, name, key string
	file, env            string
	// standard is set for a key of Standard Webhooks: base64 with an optional prefix.
	standard bool
}

func (r secretRef) String() string {
	switch {
	case r.file != "":
		return "file " + r.file
	case r.env != "":
		return "environment variable " + r.env
	}
	return fmt.Sprintf("key %s of Secret %s/%s", r.key, r.namespace, r.name)
}

// secretCache reads secrets and caches them for SecretTTL. It is safe for concurrent
// use.
type secretCache struct {
	client client.Client
	clock  clock.PassiveClock

	mu      sync.Mutex
	entries map[secretRef]secretEntry
}

// secretEntry is a cached secret, or the error of reading it.
type secretEntry struct {
	secret secret
	err    error
	readAt time.Time
}

// get returns the secret that r refers to. Errors are cached, too. Only one secret
// is read at a time.
func (c *secretCache) get(ctx context.Context, r secretRef) (secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[r]; ok && c.clock.Since(e.readAt) < SecretTTL {
		return e.secret, e.err
	}
	value, err := c.read(ctx, r)
	if ctx.Err() != nil {
		return secret{}, fmt.Errorf("read %s: %w", r, ctx.Err())
	}
	value = bytes.TrimRight(value, "\r\n")
	if err == nil && r.standard {
		value, err = decodeStandardKey(value)
	}
	if err == nil && len(value) == 0 {
		err = errors.New("empty value")
	}
	if _, known := c.entries[r]; err == nil && !known && len(value) < MinKeyBytes {
		logr.FromContextOrDiscard(ctx).Info("Secret of a webhook is short, and can be guessed", "secret", r.String(), "bytes", len(value), "recommended", MinKeyBytes)
	}
	e := secretEntry{secret: newSecret(value), readAt: c.clock.Now()}
	if err != nil {
		e = secretEntry{err: fmt.Errorf("read %s: %w", r, err), readAt: e.readAt}
	}
	c.entries[r] = e
	return e.secret, e.err
}

// decodeStandardKey decodes a key of Standard Webhooks, which some senders show with the
// version of the signature.
func decodeStandardKey(text []byte) ([]byte, error) {
	encoded := strings.TrimPrefix(strings.TrimPrefix(string(text), standardVersionPrefix), standardSecretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("not base64 after %q", standardSecretPrefix)
	}
	return key, nil
}

func (c *secretCache) read(ctx context.Context, r secretRef) ([]byte, error) {
	switch {
	case r.env != "":
		return []byte(os.Getenv(r.env)), nil
	case r.file != "":
		f, err := os.Open(r.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		value, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
		if err == nil && len(value) > maxSecretBytes {
			err = fmt.Errorf("larger than %d bytes", maxSecretBytes)
		}
		return value, err
	case c.client == nil:
		return nil, errors.New("no cluster")
	}
	var s corev1.Secret
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: r.name}, &s); err != nil {
		return nil, err
	}
	value, ok := s.Data[r.key]
	if !ok {
		return nil, errors.New("key not found")
	}
	return value, nil
}
