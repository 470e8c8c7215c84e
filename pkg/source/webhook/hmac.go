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
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hmacSignature describes a header that holds an HMAC of the body.
type hmacSignature struct {
	header, prefix string
	hash           func() hash.Hash
	decode         func(string) ([]byte, error)
}

// hashFunc returns the hash of a hmac algorithm in properties.cue.
func hashFunc(name string) func() hash.Hash {
	switch name {
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

// decodeFunc returns the decoder of a hmac encoding in properties.cue.
func decodeFunc(name string) func(string) ([]byte, error) {
	if name == "base64" {
		return base64.StdEncoding.DecodeString
	}
	return hex.DecodeString
}

func hexSHA256(header, prefix string) hmacSignature {
	return hmacSignature{header: header, prefix: prefix, hash: sha256.New, decode: hex.DecodeString}
}

// hmacAuth accepts requests whose body is signed as s describes.
func hmacAuth(secrets *secretCache, ref secretRef, s hmacSignature) authenticator {
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
			key, err := secrets.get(r.Context(), ref)
			if err != nil {
				return err
			}
			want := computeMAC(s.hash, key, body)
			if !slices.ContainsFunc(given, func(g []byte) bool { return hmac.Equal(g, want) }) {
				return unauthorized("wrong signature")
			}
			return nil
		},
		challenge: "Signature", deliveryHeader: defaultDeliveryHeader, secretHeader: s.header,
	}
}

// parse returns the signatures of a request: while a sender changes its key, it sends
// several, separated by commas.
func (s hmacSignature) parse(r *http.Request) ([][]byte, error) {
	var list [][]byte
	for part := range strings.SplitSeq(r.Header.Get(s.header), ",") {
		text, ok := strings.CutPrefix(strings.TrimSpace(part), s.prefix)
		if !ok || text == "" {
			continue // another version of the signature
		}
		given, err := s.decode(text)
		if err != nil {
			return nil, unauthorized("invalid signature in %s: %w", s.header, err)
		}
		list = append(list, given)
	}
	if len(list) == 0 {
		return nil, unauthorized("missing signature in %s", s.header)
	}
	return list, nil
}

func computeMAC(hash func() hash.Hash, key secret, parts ...[]byte) []byte {
	mac := hmac.New(hash, key.value())
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

func githubAuth(secrets *secretCache, ref secretRef) authenticator {
	a := hmacAuth(secrets, ref, hexSHA256("X-Hub-Signature-256", "sha256="))
	a.deliveryHeader, a.typeHeader = "X-GitHub-Delivery", "X-GitHub-Event"
	return a
}

func giteaAuth(secrets *secretCache, ref secretRef) authenticator {
	a := hmacAuth(secrets, ref, hexSHA256("X-Gitea-Signature", ""))
	a.deliveryHeader, a.typeHeader = "X-Gitea-Delivery", "X-Gitea-Event"
	return a
}

// Headers and prefixes of Standard Webhooks, https://www.standardwebhooks.com.
const (
	standardIDHeader        = "Webhook-Id"
	standardTimestampHeader = "Webhook-Timestamp"
	standardSignatureHeader = "Webhook-Signature"
	standardSecretPrefix    = "whsec_"
	standardVersionPrefix   = "v1,"
)

// checkTimestamp returns errUnauthorized unless text, in seconds since 1970, is within
// tolerance of now. name is what holds it.
func (c *secretCache) checkTimestamp(name, text string, tolerance time.Duration) error {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return unauthorized("missing or invalid %s", name)
	}
	if age := c.clock.Since(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return unauthorized("timestamp is more than %s from now", tolerance)
	}
	return nil
}

// standardAuth accepts requests that are signed as in Standard Webhooks, symmetric
// version 1: the delivery's ID, its timestamp and the body. The timestamp must be
// within tolerance of now.
func standardAuth(secrets *secretCache, ref secretRef, tolerance time.Duration) authenticator {
	ref.standard = true
	checkHeaders := func(r *http.Request) error {
		renameSvixHeaders(r.Header)
		if r.Header.Get(standardIDHeader) == "" {
			return unauthorized("missing %s", standardIDHeader)
		}
		return secrets.checkTimestamp(standardTimestampHeader, r.Header.Get(standardTimestampHeader), tolerance)
	}
	checkBody := func(r *http.Request, body []byte) error {
		key, err := secrets.get(r.Context(), ref)
		if err != nil {
			return err
		}
		signed := r.Header.Get(standardIDHeader) + "." + r.Header.Get(standardTimestampHeader) + "."
		want := computeMAC(sha256.New, key, []byte(signed), body)
		for text := range strings.FieldsSeq(r.Header.Get(standardSignatureHeader)) {
			given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, standardVersionPrefix))
			if strings.HasPrefix(text, standardVersionPrefix) && err == nil && hmac.Equal(given, want) {
				return nil
			}
		}
		return unauthorized("wrong signature")
	}
	return authenticator{
		checkHeaders: checkHeaders, checkBody: checkBody,
		challenge: "Signature", deliveryHeader: standardIDHeader, secretHeader: standardSignatureHeader,
		tolerance: tolerance,
	}
}

// renameSvixHeaders adds the headers of Standard Webhooks that a request has under Svix's
// names. What is signed includes the ID and the timestamp, so that the names do not matter.
func renameSvixHeaders(header http.Header) {
	for _, name := range []string{standardIDHeader, standardTimestampHeader, standardSignatureHeader} {
		if header.Get(name) == "" {
			header.Set(name, header.Get(strings.Replace(name, "Webhook", "Svix", 1)))
		}
	}
}
