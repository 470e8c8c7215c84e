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

// hmacSignature is an HMAC of the body in a header.
type hmacSignature struct {
	header, prefix string
	hash           func() hash.Hash
	decode         func(string) ([]byte, error)
}

// hashFunc returns the hash of a name that properties.cue allows.
func hashFunc(name string) func() hash.Hash {
	switch name {
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

// decodeFunc returns the decoder of an encoding that properties.cue allows.
func decodeFunc(name string) func(string) ([]byte, error) {
	if name == "base64" {
		return base64.StdEncoding.DecodeString
	}
	return hex.DecodeString
}

func hexSHA256(header, prefix string) hmacSignature {
	return hmacSignature{header: header, prefix: prefix, hash: sha256.New, decode: hex.DecodeString}
}

// hmacAuth lets in what is signed.
func hmacAuth(keys *secretCache, ref secretRef, s hmacSignature) authenticator {
	return authenticator{
		checkHeaders: func(r *http.Request) error {
			_, err := s.parse(r)
			return err
		},
		checkBody: func(r *http.Request, body []byte) error {
			given, err := s.parse(r)
			if err != nil {
				return err
			}
			key, err := keys.get(r.Context(), ref)
			if err != nil {
				return err
			}
			if !hmac.Equal(given, computeMAC(s.hash, key, body)) {
				return unauthorized("wrong signature")
			}
			return nil
		},
		challenge: "Signature", deliveryHeader: defaultDeliveryHeader, secretHeader: s.header,
	}
}

// parse returns the signature of a call.
func (s hmacSignature) parse(r *http.Request) ([]byte, error) {
	text, ok := strings.CutPrefix(r.Header.Get(s.header), s.prefix)
	if !ok || text == "" {
		return nil, unauthorized("no signature in %s", s.header)
	}
	given, err := s.decode(text)
	if err != nil {
		return nil, unauthorized("no signature in %s: %w", s.header, err)
	}
	return given, nil
}

func computeMAC(hash func() hash.Hash, key secret, parts ...[]byte) []byte {
	mac := hmac.New(hash, key.value())
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

func githubAuth(keys *secretCache, ref secretRef) authenticator {
	g := hmacAuth(keys, ref, hexSHA256("X-Hub-Signature-256", "sha256="))
	g.deliveryHeader, g.typeHeader = "X-GitHub-Delivery", "X-GitHub-Event"
	return g
}

func giteaAuth(keys *secretCache, ref secretRef) authenticator {
	g := hmacAuth(keys, ref, hexSHA256("X-Gitea-Signature", ""))
	g.deliveryHeader, g.typeHeader = "X-Gitea-Delivery", "X-Gitea-Event"
	return g
}

// The headers of Standard Webhooks, and how its secrets and signatures begin.
const (
	standardIDHeader        = "Webhook-Id"
	standardTimestamp       = "Webhook-Timestamp"
	standardSignatureHeader = "Webhook-Signature"
	standardSecretPrefix    = "whsec_"
	standardVersionPrefix   = "v1,"
)

// standard lets in what is signed as Standard Webhooks say: the name of the
// delivery, its time, and the body.
func standard(keys *secretCache, ref secretRef, tolerance time.Duration) authenticator {
	early := func(r *http.Request) error {
		if r.Header.Get(standardIDHeader) == "" {
			return unauthorized("no %s", standardIDHeader)
		}
		at, err := strconv.ParseInt(r.Header.Get(standardTimestamp), 10, 64)
		if err != nil {
			return unauthorized("no %s", standardTimestamp)
		}
		if age := keys.clock.Since(time.Unix(at, 0)); age > tolerance || age < -tolerance {
			return unauthorized("timestamp is more than %s from now", tolerance)
		}
		return nil
	}
	late := func(r *http.Request, body []byte) error {
		key, err := keys.get(r.Context(), ref)
		if err != nil {
			return err
		}
		value, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(key.value()), standardSecretPrefix))
		if err != nil {
			return fmt.Errorf("%s: is not %s and base64", ref, standardSecretPrefix)
		}
		head := r.Header.Get(standardIDHeader) + "." + r.Header.Get(standardTimestamp) + "."
		want := computeMAC(sha256.New, newSecret(value), []byte(head), body)
		for text := range strings.FieldsSeq(r.Header.Get(standardSignatureHeader)) {
			given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, standardVersionPrefix))
			if strings.HasPrefix(text, standardVersionPrefix) && err == nil && hmac.Equal(given, want) {
				return nil
			}
		}
		return unauthorized("wrong signature")
	}
	return authenticator{checkHeaders: early, checkBody: late, challenge: "Signature", deliveryHeader: standardIDHeader, secretHeader: standardSignatureHeader}
}
