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
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signature is an HMAC of the body in a header.
type signature struct {
	header, prefix string
	hash           func() hash.Hash
	decode         func(string) ([]byte, error)
}

// hashOf returns the hash of a name that properties.cue allows.
func hashOf(name string) func() hash.Hash {
	switch name {
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

// decoderOf returns the decoder of an encoding that properties.cue allows.
func decoderOf(name string) func(string) ([]byte, error) {
	if name == "base64" {
		return base64.StdEncoding.DecodeString
	}
	return hex.DecodeString
}

func hexSHA256(header, prefix string) signature {
	return signature{header: header, prefix: prefix, hash: sha256.New, decode: hex.DecodeString}
}

// signed lets in what is signed.
func signed(keys *keyring, ref reference, s signature) guard {
	return guard{
		early: func(r *http.Request) error {
			_, err := s.of(r)
			return err
		},
		late: func(r *http.Request, body []byte) error {
			given, err := s.of(r)
			if err != nil {
				return err
			}
			key, err := keys.get(r.Context(), ref)
			if err != nil {
				return err
			}
			if !hmac.Equal(given, sum(s.hash, key, body)) {
				return denied("wrong signature")
			}
			return nil
		},
		challenge: "Signature", delivery: defaultDelivery, header: s.header,
	}
}

// of returns the signature of a call.
func (s signature) of(r *http.Request) ([]byte, error) {
	text, ok := strings.CutPrefix(r.Header.Get(s.header), s.prefix)
	if !ok || text == "" {
		return nil, denied("no signature in %s", s.header)
	}
	given, err := s.decode(text)
	if err != nil {
		return nil, denied("no signature in %s: %w", s.header, err)
	}
	return given, nil
}

func sum(hash func() hash.Hash, key secret, parts ...[]byte) []byte {
	mac := hmac.New(hash, key.value())
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

func github(keys *keyring, ref reference) guard {
	g := signed(keys, ref, hexSHA256("X-Hub-Signature-256", "sha256="))
	g.delivery, g.kind = "X-GitHub-Delivery", "X-GitHub-Event"
	return g
}

func gitea(keys *keyring, ref reference) guard {
	g := signed(keys, ref, hexSHA256("X-Gitea-Signature", ""))
	g.delivery, g.kind = "X-Gitea-Delivery", "X-Gitea-Event"
	return g
}

// The headers of Standard Webhooks, and how its secrets and signatures begin.
const (
	standardID        = "Webhook-Id"
	standardTime      = "Webhook-Timestamp"
	standardSignature = "Webhook-Signature"
	standardSecret    = "whsec_"
	standardVersion   = "v1,"
)

// standard lets in what is signed as Standard Webhooks say: the name of the
// delivery, its time, and the body.
func standard(keys *keyring, ref reference, tolerance time.Duration) guard {
	early := func(r *http.Request) error {
		if r.Header.Get(standardID) == "" {
			return denied("no %s", standardID)
		}
		at, err := strconv.ParseInt(r.Header.Get(standardTime), 10, 64)
		if err != nil {
			return denied("no %s", standardTime)
		}
		if age := keys.clock.Since(time.Unix(at, 0)); age > tolerance || age < -tolerance {
			return denied("timestamp is more than %s from now", tolerance)
		}
		return nil
	}
	late := func(r *http.Request, body []byte) error {
		key, err := keys.get(r.Context(), ref)
		if err != nil {
			return err
		}
		value, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(key.value()), standardSecret))
		if err != nil {
			return fmt.Errorf("%s: is not %s and base64", ref, standardSecret)
		}
		head := r.Header.Get(standardID) + "." + r.Header.Get(standardTime) + "."
		want := sum(sha256.New, newSecret(value), []byte(head), body)
		for text := range strings.FieldsSeq(r.Header.Get(standardSignature)) {
			given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, standardVersion))
			if strings.HasPrefix(text, standardVersion) && err == nil && hmac.Equal(given, want) {
				return nil
			}
		}
		return denied("wrong signature")
	}
	return guard{early: early, late: late, challenge: "Signature", delivery: standardID, header: standardSignature}
}
