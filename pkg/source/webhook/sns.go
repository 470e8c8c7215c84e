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
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
)

const (
	// snsMaxAge limits the age of a message. SNS tries to deliver one for an hour.
	snsMaxAge = 2 * time.Hour
	// snsFetchTimeout limits the time to fetch a certificate, and to confirm a
	// subscription.
	snsFetchTimeout = 5 * time.Second
	// maxSNSKeys limits the certificates that are remembered. Amazon has one for each
	// region.
	maxSNSKeys = 64
	// snsHostPattern is the pattern of the hosts of Amazon SNS.
	snsHostPattern    = `sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?`
	snsDeliveryHeader = "X-Amz-Sns-Message-Id"
)

// Types of SNS messages.
const (
	snsNotification             = "Notification"
	snsSubscriptionConfirmation = "SubscriptionConfirmation"
)

// snsMessage is a message of Amazon SNS: its fields by their names.
type snsMessage map[string]any

// newSNSMessage returns the message in a body. It reports false if body is none, or has
// other fields: the signature does not cover them.
func newSNSMessage(body any) (m snsMessage, ok bool) {
	fields, ok := body.(map[string]any)
	for name, value := range fields {
		if _, isText := value.(string); !isText && value != nil && name != "MessageAttributes" {
			return nil, false
		}
		switch name {
		case "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "Token", "SubscribeURL", "UnsubscribeURL",
			"SigningCertURL", "SignatureVersion", "Signature", "MessageAttributes", "SequenceNumber":
		default:
			return nil, false
		}
	}
	return fields, ok
}

func (m snsMessage) text(name string) string {
	text, _ := m[name].(string)
	return text
}

// signed returns what the signature covers, as described at
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html.
func (m snsMessage) signed() string {
	names := []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	if m.text("Type") == snsNotification {
		names = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	}
	var b strings.Builder
	for _, name := range names {
		if m[name] != nil { // a notification may have no subject
			b.WriteString(name + "\n" + m.text(name) + "\n")
		}
	}
	return b.String()
}

// asksToConfirm reports whether a message asks to confirm a subscription at a URL of
// Amazon SNS.
func (m snsMessage) asksToConfirm() bool {
	u, err := url.Parse(m.text("SubscribeURL"))
	return err == nil && m.text("Type") == snsSubscriptionConfirmation &&
		u.Scheme == "https" && u.User == nil && regexp.MustCompile(`^`+snsHostPattern+`$`).MatchString(u.Host) &&
		strings.Trim(u.Path, "/") == "" && u.Query().Get("Action") == "ConfirmSubscription"
}

// FetchFunc sends a GET request, and returns the status and the body of the response.
type FetchFunc func(ctx context.Context, url string) (status int, body []byte, err error)

// snsVerifier verifies the signatures of Amazon SNS. It connects to hosts of Amazon SNS
// only. It is safe for concurrent use.
type snsVerifier struct {
	// fetch may be nil: then no message can be verified.
	fetch FetchFunc
	clock clock.PassiveClock
	keys  *lru.Cache // URL of the certificate → snsKey
	// connections limits concurrent fetches.
	connections *semaphore.Weighted
}

// snsKey is the key of a certificate.
type snsKey struct {
	key       *rsa.PublicKey
	expiresAt time.Time
}

func newSNSVerifier(fetch FetchFunc, c clock.PassiveClock) *snsVerifier {
	return &snsVerifier{fetch: fetch, clock: c, keys: lru.New(maxSNSKeys), connections: semaphore.NewWeighted(1)}
}

// verify returns errUnauthorized unless Amazon SNS has signed m within snsMaxAge.
func (v *snsVerifier) verify(ctx context.Context, m snsMessage) error {
	sent, err := time.Parse(time.RFC3339, m.text("Timestamp"))
	if err != nil {
		return unauthorized("missing or invalid Timestamp of the SNS message")
	}
	if age := v.clock.Since(sent); age > snsMaxAge || age < -snsMaxAge {
		return unauthorized("SNS message is more than %s from now", snsMaxAge)
	}
	signature, err := base64.StdEncoding.DecodeString(m.text("Signature"))
	if err != nil || len(signature) == 0 {
		return unauthorized("missing or invalid Signature of the SNS message")
	}
	key, err := v.key(ctx, m.text("SigningCertURL"))
	if err != nil {
		return err
	}
	var hash crypto.Hash
	var sum []byte
	switch m.text("SignatureVersion") {
	case "1":
		s := sha1.Sum([]byte(m.signed()))
		hash, sum = crypto.SHA1, s[:]
	case "2":
		s := sha256.Sum256([]byte(m.signed()))
		hash, sum = crypto.SHA256, s[:]
	default:
		return unauthorized("unknown SignatureVersion of the SNS message: must be 1 or 2")
	}
	if rsa.VerifyPKCS1v15(key, hash, sum, signature) != nil {
		return unauthorized("wrong signature of the SNS message")
	}
	return nil
}

// key returns the key of the certificate at a URL of Amazon SNS.
func (v *snsVerifier) key(ctx context.Context, certURL string) (*rsa.PublicKey, error) {
	if !regexp.MustCompile(`^https://` + snsHostPattern + `/SimpleNotificationService-[0-9a-zA-Z]+\.pem$`).MatchString(certURL) {
		return nil, unauthorized("SigningCertURL is not one of Amazon SNS")
	}
	if known, ok := v.keys.Get(certURL); ok {
		if k, ok := known.(snsKey); ok && v.clock.Now().Before(k.expiresAt) {
			return k.key, nil
		}
	}
	body, err := v.get(ctx, certURL)
	if err != nil {
		return nil, fmt.Errorf("certificate of SNS: %w", err)
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, unauthorized("no certificate at SigningCertURL")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, unauthorized("certificate of SNS: %w", err)
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok || !v.clock.Now().Before(certificate.NotAfter) {
		return nil, unauthorized("certificate of SNS has expired, or has no RSA key")
	}
	v.keys.Add(certURL, snsKey{key, certificate.NotAfter})
	return key, nil
}

// get fetches a URL of Amazon SNS. A response other than 200 is errUnauthorized: the
// message that names the URL is not of Amazon.
func (v *snsVerifier) get(ctx context.Context, address string) ([]byte, error) {
	if v.fetch == nil {
		return nil, errors.New("no connections")
	}
	ctx, cancel := context.WithTimeout(ctx, snsFetchTimeout)
	defer cancel()
	if err := v.connections.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer v.connections.Release(1)
	status, body, err := v.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, unauthorized("Amazon SNS answers with %d", status)
	}
	return body, nil
}

// confirm confirms the subscription that the message of a request asks to confirm, if its
// signature holds.
func (v *snsVerifier) confirm(r *http.Request, m snsMessage) error {
	if err := v.verify(r.Context(), m); err != nil {
		return err
	}
	if _, err := v.get(r.Context(), m.text("SubscribeURL")); err != nil {
		return fmt.Errorf("confirm the SNS subscription: %w", err)
	}
	return nil
}

// snsAuth accepts messages that Amazon SNS has signed for one of topics. The body
// identifies the delivery, since the headers are not signed.
func snsAuth(v *snsVerifier, topics []string) authenticator {
	return authenticator{
		checkBody: func(r *http.Request, body []byte) error {
			sent, err := payload.Parse(r.Context(), http.Header{}, body, int64(len(body)))
			if err != nil {
				return unauthorized("not an SNS message: %w", err)
			}
			m, ok := newSNSMessage(sent[0].Body)
			if !ok {
				return unauthorized("not an SNS message; raw message delivery is not signed")
			}
			if topic := m.text("TopicArn"); !slices.Contains(topics, topic) {
				return unauthorized("SNS topic %q is not allowed", topic)
			}
			return v.verify(r.Context(), m)
		},
		challenge: "Signature", deliveryHeader: snsDeliveryHeader, tolerance: snsMaxAge,
		contentID: func(r *http.Request, body []byte) string { return signedID(r.Context(), "", body) },
	}
}
